import { expect, test } from "vitest";
import type { TrainingConfig } from "./config.ts";
import { learningRateAt } from "./schedule.ts";

const optimizer = { name: "sgd", learningRate: 0.4, momentum: 0.9, weightDecay: 0 } as const;
const rates = (schedule: TrainingConfig["schedule"], steps: number): number[] =>
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

test("step falls by its factor at each of its parts", () => {
  const curve = rates({ name: "step", warmup: 0, at: [0.5, 0.75], factor: 0.1 }, 8);
  const expected = [0.4, 0.4, 0.4, 0.4, 0.04, 0.04, 0.004, 0.004];
  for (const [i, rate] of curve.entries()) expect(rate).toBeCloseTo(expected[i]!, 12);
});

test("one-cycle starts at a 25th, peaks after its warm-up, and ends at a 250,000th", () => {
  const curve = rates({ name: "one-cycle", warmup: 0.3 }, 1000);
  expect(curve[0]).toBeCloseTo(0.4 / 25, 12);
  expect(curve.indexOf(Math.max(...curve))).toBe(300);
  expect(curve[300]).toBeCloseTo(0.4, 12);
  expect(curve.at(-1)).toBeLessThan(0.4 * 1e-4);
  expect(curve.at(-1)).toBeGreaterThan(0.4 / 250_000);
});
