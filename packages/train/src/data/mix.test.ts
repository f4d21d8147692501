import fc from "fast-check";
import { expect, test } from "vitest";
import { blend, drawMixing, isMixing, type Mixed, mixedLabels, partnerOf } from "./mix.ts";

const SHAPE = [6, 5, 2] as const;
const LENGTH = 60;
/** Image `i` is all `i`, so every value says how much of whom it holds. */
const batch = (size: number): { readonly inputs: Float32Array; readonly classes: Int32Array } => ({
  inputs: Float32Array.from({ length: size * LENGTH }, (_, p) => Math.floor(p / LENGTH)),
  classes: Int32Array.from({ length: size }, (_, i) => 10 + i),
});
/** All of a batch, in place. */
function mixBatch(inputs: Float32Array, classes: Int32Array, ...how: MixArguments): Mixed {
  const mixing = drawMixing(classes.length, ...how);
  const others = Float32Array.from(inputs, (_, p) => {
    const partner = partnerOf(Math.floor(p / LENGTH), classes.length, mixing);
    return inputs[partner * LENGTH + (p % LENGTH)]!;
  });
  blend(inputs, others, SHAPE, mixing);
  return mixedLabels(classes, mixing);
}
type MixArguments = Parameters<typeof drawMixing> extends [number, ...infer Rest] ? Rest : never;

const sizes = fc.integer({ min: 2, max: 7 });
const alphas = fc.double({ min: 0.1, max: 2, noNaN: true });

test("mixup: every value is the two images' in the labels' proportion, the same for equal keys", () => {
  fc.assert(
    fc.property(sizes, alphas, fc.nat(), fc.nat(9), (size, mixup, seed, index) => {
      const key = { seed, epoch: 1, batch: index };
      const { inputs, classes } = batch(size);
      const { partners, share } = mixBatch(inputs, classes, SHAPE, { mixup, cutmix: 0 }, key);
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
      for (let i = 0; i < size; i++) {
        const partner = partners[i]! - 10;
        expect(partner).not.toBe(i);
        for (const value of inputs.subarray(i * LENGTH, (i + 1) * LENGTH)) {
          expect(value).toBeCloseTo(share * i + (1 - share) * partner, 4);
        }
      }
      const again = batch(size);
      expect(mixBatch(again.inputs, again.classes, SHAPE, { mixup, cutmix: 0 }, key).share).toBe(share);
      expect(again.inputs).toEqual(inputs);
    }),
  );
});

test("cutmix: whole pixels of one or the other, and the share is what was left", () => {
  fc.assert(
    fc.property(sizes, alphas, fc.nat(), (size, cutmix, seed) => {
      const { inputs, classes } = batch(size);
      const { partners, share } = mixBatch(inputs, classes, SHAPE, { mixup: 0, cutmix }, { seed, epoch: 2, batch: 0 });
      for (let i = 0; i < size; i++) {
        const image = inputs.subarray(i * LENGTH, (i + 1) * LENGTH);
        expect(image.every((value) => value === i || value === partners[i]! - 10)).toBe(true);
        expect(image.filter((value) => value === i).length / LENGTH).toBeCloseTo(share, 6);
      }
    }),
  );
});

test("shares follow Beta(a, a): mean one half, variance 1 / (4 (2a + 1))", () => {
  for (const mixup of [0.2, 1, 2]) {
    const shares = Array.from({ length: 4000 }, (_, seed) => {
      const { inputs, classes } = batch(2);
      return mixBatch(inputs, classes, SHAPE, { mixup, cutmix: 0 }, { seed, epoch: 1, batch: 3 }).share;
    });
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1 / (4 * (2 * mixup + 1)))).toBeLessThan(0.012);
  }
});

test("a batch of one stays as it is", () => {
  const { inputs, classes } = batch(1);
  const before = inputs.slice();
  for (const config of [
    { mixup: 1, cutmix: 0 },
    { mixup: 0, cutmix: 1 },
  ]) {
    expect(mixBatch(inputs, classes, SHAPE, config, { seed: 1, epoch: 1, batch: 0 }).partners).toEqual(classes);
    expect(inputs).toEqual(before);
  }
  expect(isMixing({ mixup: 0, cutmix: 0 })).toBe(false);
});
