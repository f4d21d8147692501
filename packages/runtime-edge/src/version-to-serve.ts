/** Which version of a model a load serves: the staged one, the one the device has, or the one at the source. */
import { DistillateError, isDistillateError, type Manifest, parseManifest } from "@distillate/bundle";
import { sweep } from "./cache.ts";
import type { OnEvent, RuntimeEvent } from "./events.ts";
import { activate, changeRecord, isCrashLoop, isRejected, type ModelRecord, readRecord, rollBack } from "./record.ts";
import { verifySignature } from "./signature.ts";
import type { BundleSource } from "./source/source.ts";
import { heldNames } from "./store/locks.ts";
import type { Store } from "./store/store.ts";
import { compareVersions, RUNTIME_VERSION } from "./version.ts";

/** A manifest as text, whose hash and signature count, and as what it says. */
export interface Version {
  readonly text: string;
  readonly manifest: Manifest;
}

/** What deciding needs. */
export interface VersionParts {
  readonly source: BundleSource;
  readonly store: Store;
  readonly publicKey: string | undefined;
  /** Whether the source is asked although the device has a version. */
  readonly ask: boolean;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

/** @throws DistillateError when neither device nor source has a version that can be taken. */
export async function versionToServe(parts: VersionParts): Promise<Version> {
  const { source, store, publicKey, onEvent, signal } = parts;
  const { url } = source;
  const record = url === undefined ? undefined : await readRecord(store, url);
  // What was taken without the key, or by another one, was not checked.
  if (!record || (publicKey !== undefined && record.signedBy !== publicKey)) {
    return readManifest(source, publicKey, signal);
  }
  const known = versionOf(await nextLoad(store, record, onEvent));
  return parts.ask ? news(parts, record, known) : known;
}

/** A staged version takes over, one in a crash loop gives way. */
async function nextLoad(store: Store, record: ModelRecord, onEvent: OnEvent): Promise<ModelRecord> {
  const underWay = await heldNames();
  let next = record;
  let event: RuntimeEvent | undefined;
  try {
    await changeRecord(store, record.url, async (before = record) => {
      const { semver } = parseManifest(before.current);
      if (isCrashLoop(before, underWay)) {
        const message = `it did not come to a self-test in ${before.starts.length} loads`;
        event = { kind: "update", state: "rolled-back", semver, message };
        next = (await rollBack(before))!;
      } else {
        next = activate(before);
        if (next !== before) {
          event = { kind: "update", state: "activated", semver: parseManifest(next.current).semver };
        }
      }
      return next;
    });
  } catch (error) {
    // What could not be written holds for this load.
    onEvent({ kind: "store-full", store: store.kind, message: (error as Error).message });
  }
  if (event) {
    onEvent(event);
    await sweep(store);
  }
  return next;
}

/** The source's version, where it can be had and may be taken; otherwise the device's own. */
async function news(parts: VersionParts, record: ModelRecord, known: Version): Promise<Version> {
  const { source, publicKey, onEvent, signal } = parts;
  try {
    const found = await readManifest(source, publicKey, signal);
    if (await isRejected(record, found.text)) return known;
    return record.bucket < (found.manifest.rollout ?? 1) || found.text === known.text ? found : known;
  } catch (error) {
    if (signal.aborted || !isDistillateError(error)) throw error;
    // A hotel's login page, a server that is down, a version for a newer app: no reason to refuse what works.
    onEvent({ kind: "offline", url: source.url!, message: error.message });
    return known;
  }
}

/** A version the device has. */
export function versionOf({ current: text }: Pick<ModelRecord, "current">): Version {
  return { text, manifest: parseManifest(text) };
}

/** @throws DistillateError for a manifest that is invalid, not signed by the key, or made for a newer runtime. */
export async function readManifest(
  source: BundleSource,
  publicKey: string | undefined,
  signal: AbortSignal,
): Promise<Version> {
  const text = await source.manifest(signal);
  if (publicKey !== undefined) await verifySignature(text, await source.signature(signal), publicKey);
  const manifest = parseManifest(text);
  const needed = manifest.requires?.runtime;
  if (needed !== undefined && compareVersions(needed, RUNTIME_VERSION) > 0) {
    throw new DistillateError({
      code: "bundle-incompatible",
      message: `${manifest.id} ${manifest.semver} needs @distillate/runtime-edge ${needed}, this is ${RUNTIME_VERSION}`,
      hint: "Update the app's @distillate/runtime-edge, or serve it an older version of the model.",
    });
  }
  if (manifest.task !== "image-classification") {
    throw new DistillateError({
      code: "bundle-incompatible",
      message: `${manifest.id} is for ${manifest.task}, this runtime serves image-classification`,
      hint: "Update the app's @distillate/runtime-edge to one that serves this task.",
    });
  }
  return { text, manifest };
}
