import fc from "fast-check";
import { expect, test } from "vitest";
import { fusesMultiplyAdd } from "../engine/simd/fused-multiply-add.ts";
import { instantiateLoops } from "../engine/simd/loops.ts";
import { makeBoardMemory, openBoard } from "./board.ts";
import { averageAround, averageInPlace, averageLosses, sharesOf } from "./mean-of-shares.ts";
import { rangeOf, shareOf } from "./shares.ts";

/** The mean of gradients, range by range, as the workers take it. */
function meanOf(found: readonly (readonly number[])[], size: number): readonly number[] {
  const workers = found.length;
  const trained = found[0]!.length;
  const sizes = { pixels: 3, trained, own: 1, slots: 1, losses: 1, said: 0, workers };
  const memory = makeBoardMemory(sizes);
  const { findings, rooms } = openBoard(memory, sizes);
  const loops = instantiateLoops(memory, fusesMultiplyAdd());
  for (const [worker, values] of found.entries()) {
    findings[worker]!.set(values);
    // What is not a gradient stays.
    findings[worker]!.fill(worker, trained);
  }
  const shares = sharesOf(size, workers);
  const means = found.flatMap((_, worker) => {
    const [from, to] = rangeOf(trained, workers, worker);
    const ranges = findings.map((values) => values.subarray(from, to));
    return from === to ? [] : [...averageInPlace(loops, ranges, shares, rooms[worker]!)];
  });
  for (const [worker, values] of findings.entries()) expect([...values.subarray(trained)]).toEqual([worker, worker]);
  expect([...findings.at(-1)!.subarray(0, trained)]).toEqual(means);
  return means;
}

test("a weight that all have alike stays to the bit, others move by the shares' sizes", () => {
  // Three workers share seven samples: two, two and three.
  const alike = Math.fround(0.1);
  const found = [1, 2, 3].map((value) => Float32Array.of(alike, value));
  const target = new Float32Array(2);
  averageAround(found, sharesOf(7, 3), target);
  expect(target[0]).toBe(alike);
  expect(target[1]).toBeCloseTo((2 * 1 + 2 * 2 + 3 * 3) / 7, 6);
  expect(averageLosses([Float32Array.of(7), Float32Array.of(0), Float32Array.of(14)], sharesOf(7, 3))[0]).toBeCloseTo(
    8,
  );
});

test("a worker without a share has no say, whatever stands in its place", () => {
  const [nobody, all] = [Float32Array.of(9, Number.NaN), Float32Array.of(1, 5)];
  const shares = sharesOf(1, 2);
  expect(shares).toEqual([{ worker: 1, part: 1 }]);
  const target = new Float32Array(2);
  averageAround([nobody, all], shares, target);
  expect([...target, ...averageLosses([nobody, all], shares)]).toEqual([1, 5, 1, 5]);
  expect(meanOf([[Number.NaN], [3]], 1)).toEqual([3]);
});

test("any number of workers and gradients: as a plain sum in double precision says", () => {
  const cases = fc.record({
    workers: fc.integer({ min: 1, max: 5 }),
    length: fc.integer({ min: 1, max: 101 }),
    size: fc.integer({ min: 1, max: 64 }),
    seed: fc.nat(999),
  });
  fc.assert(
    fc.property(cases, ({ workers, length, size, seed }) => {
      const found = Array.from({ length: workers }, (_, worker) =>
        Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + worker * 7.1 + i * 78.233))),
      );
      const means = meanOf(found, size);
      expect(means).toHaveLength(length);
      for (let i = 0; i < length; i++) {
        const parts = found.map((values, worker) => {
          const [from, to] = shareOf(size, workers, worker);
          return ((to - from) / size) * values[i]!;
        });
        expect(means[i]).toBeCloseTo(
          parts.reduce((sum, part) => sum + part, 0),
          6,
        );
      }
    }),
    { numRuns: 100 },
  );
});
