import { expect, test } from "vitest";
import { learningRateAt } from "./schedule.ts";

const optimizer = { name: "sgd", learningRate: 0.4, momentum: 0.9, weightDecay: 0 } as const;
const rates = (schedule: { name: "cosine" | "constant"; warmup: number }, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => learningRateAt(step, steps, { optimizer, schedule }));

test("cosine: rises to the peak, then falls to nearly nothing, half way at half", () => {
  const curve = rates({ name: "cosine", warmup: 0.1 }, 110);
  expect(curve[0]).toBeCloseTo(0.4 / 12, 12);
  expect(Math.max(...curve)).toBe(curve[11]);
  expect(curve[11]).toBeCloseTo(0.4, 12);
  expect(learningRateAt(60, 120, { optimizer, schedule: { name: "cosine", warmup: 0 } })).toBeCloseTo(0.2, 12);
  expect(curve.at(-1)).toBeLessThan(0.4 * 0.001);
  expect(curve.every((rate) => rate > 0)).toBe(true);
});

test("constant stays", () => {
  expect(new Set(rates({ name: "constant", warmup: 0 }, 10))).toEqual(new Set([0.4]));
});
