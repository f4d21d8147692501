/** News of a model: fetched aside, tested aside, and in force from the next load on. The version that serves is never touched. */
import type { DistillateError, Manifest } from "@distillate/bundle";
import type { OnEvent } from "./events.ts";
import { isRejected, type ModelRecord, readRecord, reject, stage, writeRecord } from "./record.ts";
import type { Store } from "./store/store.ts";
import { compareVersions } from "./version.ts";

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
  readonly store: Store;
  readonly onEvent: OnEvent;
  /** The manifest that the address has now, checked and with its text. */
  readonly fetchManifest: (signal: AbortSignal) => Promise<{ readonly text: string; readonly manifest: Manifest }>;
  /** Downloads the files of a version and runs its self-test in an engine of its own; throws when it does not pass. */
  readonly prove: (manifest: Manifest, signal: AbortSignal) => Promise<void>;
}

/** Looks for another version. Nothing is downloaded but the manifest. */
export async function checkForUpdate(parts: UpdateParts, signal: AbortSignal): Promise<UpdateCheck> {
  const { url, serving, store } = parts;
  if (url === undefined) return { available: false, reason: "the model was not loaded from an address" };
  const { text, manifest } = await parts.fetchManifest(signal);
  const { semver } = manifest;
  const record = await readRecord(store, url);
  const reason = await refusal(manifest, text, serving, record);
  if (reason !== undefined) return { available: false, reason };
  return {
    available: true,
    semver,
    stage: ({ signal: own = signal } = {}) => stageUpdate(parts, record!, text, manifest, own),
  };
}

async function refusal(
  manifest: Manifest,
  text: string,
  serving: Manifest,
  record: ModelRecord | undefined,
): Promise<string | undefined> {
  const { semver, rollout = 1 } = manifest;
  if (manifest.id !== serving.id) return `the address has another model now: ${manifest.id}, not ${serving.id}`;
  if (compareVersions(semver, serving.semver) <= 0) return `${serving.semver} is the newest, the address has ${semver}`;
  if (!record) return "this device keeps nothing, so nothing can be staged";
  if (record.staged === text) return `${semver} is staged already and serves from the next load on`;
  if (await isRejected(record, text)) return `${semver} failed on this device before`;
  if (record.bucket >= rollout)
    return `${semver} goes to ${Math.round(rollout * 100)} % of devices, not yet to this one`;
  return undefined;
}

async function stageUpdate(
  { url, store, onEvent, prove }: UpdateParts,
  known: ModelRecord,
  text: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<UpdateResult> {
  const { semver } = manifest;
  try {
    await prove(manifest, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, message } = error as DistillateError;
    // A broken connection says nothing about the version.
    if (code === "download-failed") throw error;
    await writeRecord(store, await reject((await readRecord(store, url!)) ?? known, text));
    onEvent({ kind: "update", state: "rejected", semver, message });
    return { staged: false, reason: message };
  }
  // The one write that makes it so; before it, nothing has changed.
  await writeRecord(store, stage((await readRecord(store, url!)) ?? known, text));
  onEvent({ kind: "update", state: "staged", semver });
  return { staged: true };
}
