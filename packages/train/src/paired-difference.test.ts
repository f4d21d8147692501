import { expect, test } from "vitest";
import type { Logits } from "./evaluate.ts";
import { pairedDifference, rightOf } from "./paired-difference.ts";
import { nextUnit, randomFor } from "./random.ts";

const COUNT = 2_000;
const labels = new Uint8Array(COUNT);
/** A model that is right on a sample where `right` says so. */
const model = (right: (i: number) => boolean): readonly boolean[] => {
  const logits: Logits = {
    classes: 2,
    values: Float32Array.from({ length: 2 * COUNT }, (_, p) => (right(p >> 1) === (p % 2 === 0) ? 1 : 0)),
  };
  return rightOf(logits, labels);
};

test("the mean is the difference of accuracies, and equal models differ by nothing", () => {
  const [good, bad] = [model((i) => i % 10 !== 0), model((i) => i % 5 !== 0)];
  expect(pairedDifference([good, good], [bad], 1).mean).toBeCloseTo(0.1, 12);
  expect(pairedDifference([bad, good], [good, bad], 1)).toEqual({ mean: 0, low: 0, high: 0 });
});

test("the interval is that of the normal approximation, and the same for equal seeds", () => {
  const [one, other] = [5, 6].map((seed) => {
    const random = randomFor(seed);
    const draws = Array.from({ length: COUNT }, () => nextUnit(random) < 0.8);
    return model((i) => draws[i]!);
  });
  const found = pairedDifference([one!], [other!], 1);
  // Independent here: the variance of a difference of two shares of 0.8.
  const deviation = Math.sqrt((2 * 0.8 * 0.2) / COUNT);
  expect(Math.abs(found.high - found.mean - 1.96 * deviation)).toBeLessThan(0.15 * 1.96 * deviation);
  expect(Math.abs(found.mean - found.low - 1.96 * deviation)).toBeLessThan(0.15 * 1.96 * deviation);
  expect(pairedDifference([one!], [other!], 1)).toEqual(found);
});
