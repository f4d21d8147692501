import fc from "fast-check";
import { expect, test } from "vitest";
import { augmentImage } from "./augment.ts";
import { batches } from "./batches.ts";
import type { Images } from "./dataset.ts";
import { splitTrainValidation } from "./split.ts";

const images: Images = {
  count: 10,
  shape: [2, 3, 1],
  pixels: Uint8Array.from({ length: 60 }, (_, i) => i),
  classes: Uint16Array.from({ length: 10 }, (_, i) => i % 2),
};
const preprocess = {
  kind: "image" as const,
  width: 3,
  height: 2,
  channels: 1 as const,
  fit: "stretch" as const,
  scale: 1,
  mean: [0],
  std: [1],
  layout: "nhwc" as const,
};
const all = Uint32Array.from({ length: 10 }, (_, i) => i);

async function order(options: object): Promise<number[]> {
  const seen: number[] = [];
  for await (const batch of batches(images, all, { batchSize: 4, preprocess, ...options })) {
    expect(batch.inputs).toHaveLength(batch.size * 6);
    expect(batch.inputs[0]).toBe(batch.indices[0]! * 6);
    seen.push(...batch.indices);
  }
  return seen;
}

test("every sample once; the order depends on seed and epoch; skipping goes on where it was", async () => {
  expect(await order({})).toEqual([...all]);
  const shuffled = await order({ shuffle: { seed: 1, epoch: 1 } });
  expect([...shuffled].sort((a, b) => a - b)).toEqual([...all]);
  expect(await order({ shuffle: { seed: 1, epoch: 1 } })).toEqual(shuffled);
  expect(await order({ shuffle: { seed: 1, epoch: 2 } })).not.toEqual(shuffled);
  expect(await order({ shuffle: { seed: 1, epoch: 1 }, skip: 2 })).toEqual(shuffled.slice(8));
});

const NONE = { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 } as const;

test("a split is a partition with each class' share", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 8, maxLength: 200 }),
      fc.double({ min: 0.05, max: 0.6, noNaN: true }),
      fc.nat(),
      (classes, share, seed) => {
        const { train, validation } = splitTrainValidation(classes, share, seed);
        expect([...train, ...validation].sort((a, b) => a - b)).toEqual(classes.map((_, i) => i));
        expect(validation).toHaveLength(Math.max(1, Math.round(classes.length * share)));
        for (const label of new Set(classes)) {
          const held = validation.filter((i) => classes[i] === label).length;
          const exact = (validation.length * classes.filter((c) => c === label).length) / classes.length;
          expect(Math.abs(held - exact)).toBeLessThan(1);
        }
      },
    ),
  );
});

test("a split that leaves nothing to train on is refused", () => {
  expect(() => splitTrainValidation([0, 1, 0, 1], 4, 1)).toThrowError(
    expect.objectContaining({ code: "split-impossible", message: expect.stringContaining("4 of 4") }),
  );
});

test("a shift of any size, in colour: every pixel is that of one place before, or black where there was none", () => {
  const shape = [4, 5, 3] as const;
  const source = Uint8Array.from({ length: 60 }, (_, i) => i + 1);
  const moved = (down: number, right: number): number[] =>
    Array.from(source, (_, i) => {
      const [y, x] = [Math.floor(i / 15) - down, (Math.floor(i / 3) % 5) - right];
      return y < 0 || y > 3 || x < 0 || x > 4 ? 0 : source[(y * 5 + x) * 3 + (i % 3)]!;
    });
  const all = new Set<string>();
  for (let down = -6; down <= 6; down++) for (let right = -6; right <= 6; right++) all.add(`${moved(down, right)}`);
  const seen = new Set<string>();
  for (let sample = 0; sample < 1000; sample++) {
    const target = new Uint8Array(60).fill(99);
    augmentImage(source, target, shape, { ...NONE, shift: 6 }, { seed: 1, epoch: 1, sample });
    seen.add(`${target}`);
  }
  expect(seen).toEqual(all);
});

test("a shift moves every pixel by the same step and brings black in; a flip twice is nothing", () => {
  const source = Uint8Array.from({ length: 25 }, (_, i) => i + 1);
  for (let sample = 0; sample < 50; sample++) {
    const target = new Uint8Array(25);
    augmentImage(source, target, [5, 5, 1], { ...NONE, shift: 2 }, { seed: 1, epoch: 1, sample });
    const at = target.findIndex((value) => value !== 0);
    const step = at - (target[at]! - 1);
    for (const [place, value] of target.entries()) if (value !== 0) expect(place - (value - 1)).toBe(step);
    const mirrored = new Uint8Array(25);
    augmentImage(source, mirrored, [5, 5, 1], { ...NONE, flip: true }, { seed: 1, epoch: 1, sample });
    expect([1, 5]).toContain(mirrored[0]);
  }
});
