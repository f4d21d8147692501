import { Worker } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import type { Batch } from "./batches.ts";
import { batches } from "./batches.ts";
import type { Images } from "./dataset.ts";
import type { BatchOptions } from "./draw-batches.ts";
import { type BatchSource, prefetchBatches } from "./prefetch.ts";

const COUNT = 150;
const images: Images = {
  count: COUNT,
  shape: [6, 5, 3],
  pixels: Uint8Array.from({ length: COUNT * 90 }, (_, i) => (i * 7919) >> 3),
  classes: Uint16Array.from({ length: COUNT }, (_, i) => i % 7),
};
const indices = Uint32Array.from({ length: COUNT - 10 }, (_, i) => i + 10);
const options = (epoch: number): BatchOptions => ({
  batchSize: 16,
  preprocess: {
    kind: "image",
    width: 5,
    height: 6,
    channels: 3,
    fit: "stretch",
    scale: 1 / 255,
    mean: [0.4, 0.5, 0.6],
    std: [0.2, 0.3, 0.25],
    layout: "nhwc",
  },
  shuffle: { seed: 3, epoch },
  augment: { shift: 1, flip: true, erase: 0.5, colour: 0.3, mixup: 0.3, cutmix: 1, seed: 3, epoch },
  hidden: new Set([12, 50, 51]),
});

/** Everything of every batch, as it was while it was the current one. */
async function collect(pass: AsyncIterable<Batch>, most = Number.POSITIVE_INFINITY): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of pass) {
    all.push(structuredClone({ ...batch, inputs: batch.inputs.slice() }));
    if (all.length === most) break;
    // A step takes its time, in which arrays may be filled anew.
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return all;
}

async function using(body: (source: BatchSource, lost: string[]) => Promise<void>): Promise<void> {
  const lost: string[] = [];
  const source = prefetchBatches(images, (reason) => lost.push(reason));
  try {
    await body(source, lost);
  } finally {
    source.close();
  }
}

test("the thread's batches are this thread's to the bit: order, views, mixtures, hidden labels, a pass that is resumed", async () => {
  await using(async (source, lost) => {
    const first = await collect(source.batches(indices, options(1)));
    expect(first).toHaveLength(9);
    expect(first.at(-1)!.size).toBe(12);
    expect(first.some(({ classes }) => classes.includes(-1))).toBe(true);
    expect(first).toEqual(await collect(batches(images, indices, options(1))));
    const resumed = { ...options(2), skip: 5 };
    expect(await collect(source.batches(indices, resumed))).toEqual(await collect(batches(images, indices, resumed)));
    expect(lost).toEqual([]);
  });
});

test("a pass of bytes: the thread's are this thread's, and its floats are those of a pass of floats", async () => {
  await using(async (source, lost) => {
    const { augment, ...rest } = options(1);
    const unmixed = { ...rest, augment: { ...augment!, mixup: 0, cutmix: 0 } };
    const bytes = { ...unmixed, asBytes: true };
    const here = await collect(batches(images, indices, bytes));
    expect(here[0]!.bytes).toHaveLength(16 * 92);
    expect(here.map(({ bytes: _bytes, ...batch }) => batch)).toEqual(await collect(batches(images, indices, unmixed)));
    expect(await collect(source.batches(indices, bytes))).toEqual(here);
    // Memory that held bytes holds floats again.
    expect(await collect(source.batches(indices, options(2)))).toEqual(
      await collect(batches(images, indices, options(2))),
    );
    expect(lost).toEqual([]);
  });
});

test("bytes of mixed images are refused", async () => {
  await expect(collect(batches(images, indices, { ...options(1), asBytes: true }))).rejects.toMatchObject({
    code: "bytes-of-mixed",
  });
});

test("a pass that is broken off leaves nothing in the next one", async () => {
  await using(async (source) => {
    expect(await collect(source.batches(indices, options(1)), 2)).toHaveLength(2);
    expect(await collect(source.batches(indices, options(2)), 1)).toHaveLength(1);
    expect(await collect(source.batches(indices, options(3)))).toEqual(
      await collect(batches(images, indices, options(3))),
    );
  });
});

test("when the thread dies in the middle the pass goes on without it to the same bytes, and the reason is told once", async () => {
  await using(async (source, lost) => {
    const tell = vi.spyOn(Worker.prototype, "postMessage");
    const seen: Batch[] = [];
    for await (const batch of source.batches(indices, options(1))) {
      seen.push(structuredClone({ ...batch, inputs: batch.inputs.slice() }));
      if (seen.length === 3) await (tell.mock.contexts[0] as Worker).terminate();
    }
    tell.mockRestore();
    expect(seen).toEqual(await collect(batches(images, indices, options(1))));
    expect(lost).toEqual(["it ended with exit status 1"]);
    expect(await collect(source.batches(indices, options(2)))).toEqual(
      await collect(batches(images, indices, options(2))),
    );
  });
});
