/** News of a model: fetched aside, tested aside, and in force from the next load on. The version that serves is never touched. */
import { isDistillateError, type Manifest } from "@distillate/bundle";
import { sweep } from "./cache.ts";
import type { OnEvent } from "./events.ts";
import { changeRecord, isRejected, type ModelRecord, readRecord, reject, stage } from "./record.ts";
import type { BundleSource } from "./source/source.ts";
import type { Store } from "./store/store.ts";
import { compareVersions } from "./version.ts";
import type { Version } from "./version-to-serve.ts";

/** What a look for an update found. */
export type UpdateCheck =
  | { readonly available: false; readonly reason: string }
  | {
      readonly available: true;
      readonly semver: string;
      /** Downloads and self-tests it; it serves from the next load on. */
      readonly stage: (options?: { readonly signal?: AbortSignal }) => Promise<UpdateResult>;
    };

/** How staging an update ended. */
export type UpdateResult = { readonly staged: true } | { readonly staged: false; readonly reason: string };

/** What looking and staging need. */
export interface UpdateParts {
  readonly url: string | undefined;
  readonly serving: Manifest;
  readonly publicKey: string | undefined;
  readonly store: Store;
  readonly onEvent: OnEvent;
  /** The version that the address has now, checked, and where its files come from. */
  readonly fetchVersion: (signal: AbortSignal) => Promise<FoundVersion>;
  /** Downloads the files of a version and runs its self-test in an engine of its own; throws when it does not pass. */
  readonly prove: (version: FoundVersion, signal: AbortSignal) => Promise<void>;
}

/** A version at its address. */
export interface FoundVersion extends Version {
  readonly source: BundleSource;
}

/** Looks for another version. Nothing is downloaded but the manifest. */
export async function checkForUpdate(parts: UpdateParts, signal: AbortSignal): Promise<UpdateCheck> {
  const { url, store } = parts;
  if (url === undefined) return { available: false, reason: "the model was not loaded from an address" };
  const version = await parts.fetchVersion(signal);
  const { semver } = version.manifest;
  const record = await readRecord(store, url);
  const reason = await refusal(version, parts, record);
  if (reason !== undefined) return { available: false, reason };
  return {
    available: true,
    semver,
    stage: ({ signal: own = signal } = {}) => stageUpdate(parts, version, own),
  };
}

async function refusal(
  { manifest, text }: Version,
  { serving, publicKey }: UpdateParts,
  record: ModelRecord | undefined,
): Promise<string | undefined> {
  const { semver, rollout = 1 } = manifest;
  if (manifest.id !== serving.id) return `the address has another model now: ${manifest.id}, not ${serving.id}`;
  if (compareVersions(semver, serving.semver) <= 0) return `${serving.semver} is the newest, the address has ${semver}`;
  if (!record) return "this device keeps nothing, so nothing can be staged";
  if (record.signedBy !== publicKey) return "another page of this origin loads the model with another public key";
  if (record.staged === text) return `${semver} is staged already and serves from the next load on`;
  if (await isRejected(record, text)) return `${semver} failed on this device before`;
  if (record.bucket >= rollout)
    return `${semver} goes to ${Math.round(rollout * 100)} % of devices, not yet to this one`;
  return undefined;
}

async function stageUpdate(
  { url, store, onEvent, prove }: UpdateParts,
  version: FoundVersion,
  signal: AbortSignal,
): Promise<UpdateResult> {
  const { text, manifest } = version;
  const { semver } = manifest;
  try {
    await prove(version, signal);
  } catch (error) {
    if (signal.aborted || !isDistillateError(error)) throw error;
    // A broken connection says nothing about the version.
    if (error.code === "download-failed") throw error;
    await changeRecord(store, url!, (record) => record && reject(record, text));
    await sweep(store);
    onEvent({ kind: "update", state: "rejected", semver, message: error.message });
    return { staged: false, reason: error.message };
  }
  signal.throwIfAborted();
  // The one write that makes it so; before it, nothing has changed.
  await changeRecord(store, url!, (record) => record && stage(record, text));
  onEvent({ kind: "update", state: "staged", semver });
  return { staged: true };
}
