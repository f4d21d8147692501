import { readFileSync } from "node:fs";
import { array, assert, double, property } from "fast-check";
import { expect, test } from "vitest";
import { bootstrapRatio } from "./bootstrap.ts";
import { driftOf, summarize } from "./statistics.ts";

interface Golden {
  readonly cases: readonly (Record<"p50" | "p90" | "p95" | "p99" | "mean" | "mad" | "outliers", number> & {
    readonly samples: readonly number[];
  })[];
  readonly base: readonly (readonly number[])[];
  readonly head: readonly (readonly number[])[];
  readonly intervals: { readonly independent: readonly [number, number]; readonly paired: readonly [number, number] };
}

/** What NumPy computed; see tests/golden/statistics.py. */
const GOLDEN = JSON.parse(
  readFileSync(new URL("../../../tests/golden/statistics.json", import.meta.url), "utf8"),
) as Golden;

test.each(GOLDEN.cases)("NumPy says the same of $samples.length samples", ({ samples, ...expected }) => {
  const found = summarize(samples);
  for (const name of ["p50", "mean", "mad"] as const) expect(found[name]).toBeCloseTo(expected[name], 12);
  expect(found.outliers).toBe(expected.outliers);
  expect([found.n, found.min, found.max]).toEqual([samples.length, Math.min(...samples), Math.max(...samples)]);
  for (const [name, needed] of [
    ["p90", 64],
    ["p95", 200],
    ["p99", 1000],
  ] as const) {
    if (samples.length < needed) expect(found[name]).toBeUndefined();
    else expect(found[name]).toBeCloseTo(expected[name], 12);
  }
});

test("a summary keeps its order and does not depend on that of the samples", () => {
  assert(
    property(array(double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 }), (samples) => {
      const found = summarize(samples);
      expect(found).toEqual(summarize([...samples].reverse()));
      const rising = [found.min, found.p50, found.p90, found.p95, found.p99, found.max].filter((v) => v !== undefined);
      expect(rising).toEqual([...rising].sort((a, b) => a - b));
    }),
  );
});

test("drift compares the last tenth with the first", () => {
  expect(driftOf(Array.from({ length: 100 }, (_, i) => (i < 50 ? 2 : 3)))).toBe(1.5);
  expect(driftOf([4])).toBe(1);
});

test.each(["independent", "paired"] as const)("the %s bootstrap's interval is the one NumPy draws", (kind) => {
  const { low, high, estimate } = bootstrapRatio(GOLDEN.base, GOLDEN.head, 0.5, { seed: 1, paired: kind === "paired" });
  const [expectedLow, expectedHigh] = GOLDEN.intervals[kind];
  const width = expectedHigh - expectedLow;
  // Two bootstraps of 10,000 differ by chance: their ends by some hundredths of the interval.
  expect(Math.abs(low - expectedLow)).toBeLessThan(0.1 * width);
  expect(Math.abs(high - expectedHigh)).toBeLessThan(0.1 * width);
  expect(estimate).toBeGreaterThan(low);
  expect(estimate).toBeLessThan(high);
});

test("the same seed gives the same interval, and a file against itself in pairs is exactly equal", () => {
  const again = (): unknown => bootstrapRatio(GOLDEN.base, GOLDEN.head, 0.9, { seed: 5 });
  expect(again()).toEqual(again());
  const same = bootstrapRatio(GOLDEN.base, GOLDEN.base, 0.9, { seed: 5, paired: true });
  expect(same).toEqual({ estimate: 1, low: 1, high: 1 });
});

test("scaling one side scales the interval", () => {
  assert(
    property(double({ min: 0.1, max: 10, noNaN: true }), (factor) => {
      const options = { seed: 3, resamples: 200 };
      const plain = bootstrapRatio(GOLDEN.base, GOLDEN.head, 0.5, options);
      const scaled = bootstrapRatio(
        GOLDEN.base,
        GOLDEN.head.map((block) => block.map((value) => value * factor)),
        0.5,
        options,
      );
      for (const end of ["low", "estimate", "high"] as const) expect(scaled[end]).toBeCloseTo(plain[end] * factor, 9);
    }),
    { numRuns: 20 },
  );
});
