/** Files by their hash: from the store when they are there and whole, otherwise from where they come from, and then kept. */
import { type DistillateError, type FileRef, isDistillateError, sha256Hex, verifyFile } from "@distillate/bundle";
import { nextTask } from "./breathe.ts";
import { download } from "./download.ts";
import type { LoadProgress, OnEvent } from "./events.ts";
import { orAborted } from "./or-aborted.ts";
import { createSharedWork } from "./shared-work.ts";
import { memoryStore } from "./store/memory.ts";
import { keyOf, type Store } from "./store/store.ts";

/** Two models that want one file at once fetch it once. */
const fetching = createSharedWork<Uint8Array>();

/** Where a file comes from when the store has none. */
export type FileOrigin = { readonly url: string } | { readonly read: (signal: AbortSignal) => Promise<Uint8Array> };

/** Gets files for one model. */
export interface Files {
  readonly store: Store;
  /**
   * The bytes may be shared with other callers: read them, do not transfer or change them.
   *
   * @throws DistillateError `file-corrupted`, `download-failed`, `got-html`.
   */
  get(ref: FileRef, origin: FileOrigin, signal: AbortSignal): Promise<Uint8Array>;
  /** A document without a known hash: always from the network. */
  fetch(url: string, signal: AbortSignal): Promise<Uint8Array>;
}

/** What {@link createFiles} needs. */
export interface FilesOptions {
  readonly store: Store;
  readonly onEvent: OnEvent;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly init: RequestInit | undefined;
}

/** Makes the files of one model. */
export function createFiles({ store, onEvent, onProgress, init }: FilesOptions): Files {
  const progress = new Map<string, { received: number; total: number | undefined }>();
  const report = (file: string, received: number, total: number | undefined): void => {
    progress.set(file, { received, total });
    const all = [...progress.values()];
    onProgress({
      file,
      fileReceived: received,
      fileTotal: total,
      received: all.reduce((sum, each) => sum + each.received, 0),
      total: all.reduce((sum, each) => sum + (each.total ?? each.received), 0),
    });
  };
  const fromNetwork = (url: string, ref: FileRef | undefined, signal: AbortSignal): Promise<Uint8Array> =>
    download({
      url,
      signal,
      onEvent,
      onBytes: (received, total) => report(ref?.path ?? url, received, total),
      ...(init ? { init } : {}),
      ...(ref
        ? {
            expected: ref,
            resume: () => quietly(store.read(keyOf.partial(ref.sha256))),
            keep: async (bytes) => void (await keep(store, keyOf.partial(ref.sha256), bytes, onEvent)),
          }
        : {}),
    });

  /** What had no room: an engine that is replaced must find it again, also without a network. */
  const overflow = memoryStore();

  return {
    store,
    async get(ref, origin, signal) {
      signal.throwIfAborted();
      const key = keyOf.file(ref.sha256);
      const stored = (await quietly(store.read(key))) ?? (await overflow.read(key));
      if (stored && (await isWhole(stored, ref))) {
        report(ref.path, ref.bytes, ref.bytes);
        onEvent({ kind: "file", file: ref.path, from: "store", bytes: ref.bytes });
        return stored;
      }
      if (stored) {
        onEvent({ kind: "store-corrupt", file: ref.path });
        await quietly(store.remove(key));
      }
      const obtain = async (within: AbortSignal): Promise<Uint8Array> => {
        const bytes = "url" in origin ? await fromNetwork(origin.url, ref, within) : await origin.read(within);
        if (!("url" in origin)) await verifyFile(bytes, ref);
        if (!(await keep(store, key, bytes, onEvent))) await overflow.write(key, bytes);
        if ("url" in origin) await quietly(store.remove(keyOf.partial(ref.sha256)));
        return bytes;
      };
      const bytes =
        "url" in origin
          ? await fetching.join(`${store.kind} ${key}`, obtain, signal)
          : await orAborted(obtain(signal), signal);
      report(ref.path, ref.bytes, ref.bytes);
      onEvent({ kind: "file", file: ref.path, from: "url" in origin ? "network" : "source", bytes: ref.bytes });
      return bytes;
    },
    fetch: (url, signal) => fromNetwork(url, undefined, signal),
  };
}

async function isWhole(bytes: Uint8Array, ref: FileRef): Promise<boolean> {
  // Taking 14 MB out of the store and hashing them are each a task of their own, or the page waits for both.
  await nextTask();
  return bytes.byteLength === ref.bytes && (await sha256Hex(bytes)) === ref.sha256;
}

/** Writes if it fits, and says whether it did. A device without room still runs the model, it only downloads it every time. */
async function keep(store: Store, key: string, bytes: Uint8Array, onEvent: OnEvent): Promise<boolean> {
  try {
    await store.write(key, bytes);
    return true;
  } catch (error) {
    onEvent({ kind: "store-full", store: store.kind, message: (error as Error).message });
    await quietly(store.remove(key));
    return false;
  }
}

/** A store that fails to read is a store that has nothing: the network answers instead. */
async function quietly<Value>(work: Promise<Value>): Promise<Value | undefined> {
  return work.catch(() => undefined);
}

/** Whether an error means that the network, not the file, is at fault. */
export function isOffline(error: unknown): error is DistillateError {
  return isDistillateError(error) && error.code === "download-failed";
}
