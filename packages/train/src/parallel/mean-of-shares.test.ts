import { expect, test } from "vitest";
import { meanOfShares } from "./mean-of-shares.ts";

const sizes = { gradients: 2, own: 2 };
const found = (...values: number[]): Float32Array => Float32Array.from(values);

test("findings are weighted by the shares' sizes; a weight that all have alike stays to the bit", () => {
  // Three workers share seven samples: two, two and three.
  const own = Math.fround(0.1);
  const mean = meanOfShares(
    [found(7, 0, own, 1, 7), found(14, 7, own, 2, 0), found(0, 7, own, 3, 14)],
    sizes,
    7,
    new Float32Array(5),
  );
  expect([...mean.gradients]).toEqual([6, 5]);
  expect(mean.own[0]).toBe(own);
  expect(mean.own[1]).toBeCloseTo((2 * 1 + 2 * 2 + 3 * 3) / 7, 6);
  expect(mean.losses[0]).toBeCloseTo(8, 5);
});

test("a worker without a share has no say, whatever stands in its place", () => {
  const { gradients, own, losses } = meanOfShares(
    [found(9, 9, 9, 9, 9), found(1, 2, 3, 4, 5)],
    sizes,
    1,
    new Float32Array(5),
  );
  expect([...gradients, ...own, ...losses]).toEqual([1, 2, 3, 4, 5]);
});
