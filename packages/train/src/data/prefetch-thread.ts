/** The thread of prefetch.ts: makes a pass' batches in their order for as long as it has memory to put the next one into. */
import { parentPort, workerData } from "node:worker_threads";
import { drawBatches, type Made, madeLength } from "./draw-batches.ts";
import type { Prefetched, PrefetchSetup, ToPrefetch } from "./prefetch.ts";

/** Batches that may be ready before they are asked for. */
const AHEAD = 8;

const { images, bytes } = workerData as PrefetchSetup;
const port = parentPort!;
const free = Array.from({ length: AHEAD }, () => new ArrayBuffer(bytes));
let current = 0;
let wake: (() => void) | undefined;

port.on("message", (message: ToPrefetch) => {
  if (message.kind === "free") free.push(message.memory);
  else {
    current = message.pass;
    void makeAll(message);
  }
  wake?.();
});

async function makeAll({ pass, indices, options }: Extract<ToPrefetch, { kind: "pass" }>): Promise<void> {
  for (const { drawn, fill } of drawBatches(images, indices, options)) {
    const memory = await nextFree(pass);
    if (memory === undefined) return;
    const length = drawn.size * madeLength(images.shape, options);
    const made: Made<ArrayBuffer> = options.asBytes
      ? new Uint8Array(memory, 0, length)
      : new Float32Array(memory, 0, length);
    fill(made);
    // Copies: these are parts of what the next batch is drawn in.
    const own = { ...drawn, indices: drawn.indices.slice(), classes: drawn.classes.slice() };
    port.postMessage({ pass, batch: { drawn: own, made } } satisfies Prefetched, [memory]);
  }
  port.postMessage({ pass } satisfies Prefetched);
}

/** Memory for a batch; `undefined` where another pass has begun meanwhile. */
async function nextFree(pass: number): Promise<ArrayBuffer | undefined> {
  for (;;) {
    if (pass !== current) return undefined;
    const memory = free.pop();
    if (memory) return memory;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}
