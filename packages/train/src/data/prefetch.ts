/**
 * Batches made ahead of their use by a thread of their own: while a step is taken, the next ones are cut out, changed, normalised
 * and mixed. The thread runs the very function that this one would, so where a batch was made can't be seen on it.
 *
 * The set's bytes are shared. Arrays of a batch are handed over and back, never copied between threads.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { moduleBeside, startThread } from "../thread.ts";
import { type Batch, batches, batchOf } from "./batches.ts";
import type { Images } from "./dataset.ts";
import { type BatchOptions, type DrawnBatch, type Made, madeLength } from "./draw-batches.ts";

/** Where a training's batches come from. */
export interface BatchSource {
  /** As {@link batches}; one pass at a time. */
  batches(indices: Uint32Array, options: BatchOptions): AsyncGenerator<Batch>;
  close(): void;
}

/** What the thread begins with. */
export interface PrefetchSetup {
  /** Its pixels are in shared memory. */
  readonly images: Images;
  /** Bytes that a batch may take. */
  readonly bytes: number;
}

/** What the thread is told: to begin a pass, or that a batch's memory is free again. */
export type ToPrefetch =
  | { readonly kind: "pass"; readonly pass: number; readonly indices: Uint32Array; readonly options: BatchOptions }
  | { readonly kind: "free"; readonly memory: ArrayBuffer };

/** What it answers: the next batch, in memory that is to be given back, or that the pass is over. */
export interface Prefetched {
  readonly pass: number;
  readonly batch?: { readonly drawn: DrawnBatch; readonly made: Made<ArrayBuffer> };
}

/** Bytes a pass from which on a thread pays for its start. */
const WORTH_A_THREAD = 2 ** 22;

/** A source for passes over so many samples of a set: prefetching where that pays. */
export function batchSource(images: Images, samples: number, onLost: (reason: string) => void): BatchSource {
  const [height, width, channels] = images.shape;
  const isWorthIt = samples * height * width * channels >= WORTH_A_THREAD && availableParallelism() > 1;
  return isWorthIt ? prefetchBatches(images, onLost) : plainSource(images);
}

/** A source that makes each batch here, when it is asked for. */
function plainSource(images: Images): BatchSource {
  return { batches: (indices, options) => batches(images, indices, options), close() {} };
}

/**
 * Starts the thread. Should it end before its time, the pass goes on from the same batch in this thread, to the same bytes.
 *
 * @param onLost - Told why the thread ended, once.
 */
export function prefetchBatches(images: Images, onLost: (reason: string) => void): BatchSource {
  const arrived: Prefetched[] = [];
  let wake: (() => void) | undefined;
  let worker: Worker | undefined;
  let isLost = false;
  let passes = 0;

  const lose = (reason: string): void => {
    if (isLost) return;
    isLost = true;
    onLost(reason);
    wake?.();
  };
  const start = (batchSize: number): Worker => {
    const shared = { ...images, pixels: shareBytes(images.pixels) };
    const setup: PrefetchSetup = { images: shared, bytes: batchSize * madeLength(images.shape, {}) * 4 };
    const thread = startThread(moduleBeside(import.meta.url, "prefetch-thread"), setup);
    thread.on("message", (message: Prefetched) => {
      arrived.push(message);
      wake?.();
    });
    thread.on("error", (error) => lose(error.message));
    thread.on("exit", (code) => lose(`it ended with exit status ${code}`));
    return thread;
  };
  const free = ({ batch }: Prefetched): void => {
    const memory = batch?.made.buffer;
    if (memory) worker?.postMessage({ kind: "free", memory } satisfies ToPrefetch, [memory]);
  };
  /** The pass' next message; `undefined` once the thread is lost and what it had made is used up. */
  const next = async (pass: number): Promise<Prefetched | undefined> => {
    for (;;) {
      const message = arrived.shift();
      if (message?.pass === pass) return message;
      // Left over from a pass that was broken off.
      if (message) free(message);
      else if (isLost) return undefined;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  };

  return {
    async *batches(indices, options) {
      const pass = ++passes;
      let done = options.skip ?? 0;
      if (!isLost) {
        worker ??= start(options.batchSize);
        worker.postMessage({ kind: "pass", pass, indices, options } satisfies ToPrefetch);
      }
      for (;;) {
        const message = await next(pass);
        if (message === undefined) return yield* batches(images, indices, { ...options, skip: done });
        if (message.batch === undefined) return;
        try {
          yield batchOf(message.batch.drawn, message.batch.made, images, options);
        } finally {
          free(message);
        }
        done++;
      }
    },
    close() {
      isLost = true;
      void worker?.terminate();
    },
  };
}

function shareBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}
