/** The thread of prefetch.ts: makes a pass' batches in their order for as long as it has an array to put the next one into. */
import { parentPort, workerData } from "node:worker_threads";
import { batches } from "./batches.ts";
import type { Prefetched, PrefetchSetup, ToPrefetch } from "./prefetch.ts";

/** Batches that may be ready before they are asked for. */
const AHEAD = 8;

const { images, length } = workerData as PrefetchSetup;
const port = parentPort!;
const free = Array.from({ length: AHEAD }, () => new Float32Array(length));
let current = 0;
let wake: (() => void) | undefined;

port.on("message", (message: ToPrefetch) => {
  if (message.kind === "free") free.push(message.array);
  else {
    current = message.pass;
    void makeAll(message);
  }
  wake?.();
});

async function makeAll({ pass, indices, options }: Extract<ToPrefetch, { kind: "pass" }>): Promise<void> {
  for await (const { inputs, ...rest } of batches(images, indices, options)) {
    const array = await nextFree(pass);
    if (array === undefined) return;
    array.set(inputs);
    // Copies: these are parts of what the next batch is made in.
    const batch = { ...rest, indices: rest.indices.slice(), classes: rest.classes.slice() };
    port.postMessage({ pass, made: { array, batch } } satisfies Prefetched, [array.buffer]);
  }
  port.postMessage({ pass } satisfies Prefetched);
}

/** An array; `undefined` where another pass has begun meanwhile. */
async function nextFree(pass: number): Promise<Float32Array<ArrayBuffer> | undefined> {
  for (;;) {
    if (pass !== current) return undefined;
    const array = free.pop();
    if (array) return array;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}
