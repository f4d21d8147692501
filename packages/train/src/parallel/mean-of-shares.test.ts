import fc from "fast-check";
import { expect, test } from "vitest";
import { makeBoardMemory, openBoard } from "./board.ts";
import { type Findings, meanOver } from "./mean-of-shares.ts";
import { shareOf } from "./shares.ts";

const sizes = { gradients: 2, own: 2 };

function meanOf(found: readonly (readonly number[])[], size: number, where = sizes): Findings {
  const sized = { pixels: 3, weights: 5, findings: found[0]!.length, said: 0, workers: found.length };
  const memory = makeBoardMemory(sized);
  const board = openBoard(memory.buffer, sized);
  for (const [worker, values] of found.entries()) board.findings[worker]!.set(values);
  const before = board.findings.map((values) => [...values]);
  const mean = meanOver(memory, board, where)(size);
  expect(board.findings.map((values) => [...values])).toEqual(before);
  return mean;
}

test("findings are weighted by the shares' sizes; a weight that all have alike stays to the bit", () => {
  // Three workers share seven samples: two, two and three.
  const own = Math.fround(0.1);
  const mean = meanOf(
    [
      [7, 0, own, 1, 7],
      [14, 7, own, 2, 0],
      [0, 7, own, 3, 14],
    ],
    7,
  );
  expect(mean.gradients[0]).toBeCloseTo(6, 5);
  expect(mean.gradients[1]).toBeCloseTo(5, 5);
  expect(mean.own[0]).toBe(own);
  expect(mean.own[1]).toBeCloseTo((2 * 1 + 2 * 2 + 3 * 3) / 7, 6);
  expect(mean.losses[0]).toBeCloseTo(8, 5);
});

test("a worker without a share has no say, whatever stands in its place", () => {
  const { gradients, own, losses } = meanOf(
    [
      [9, 9, 9, 9, Number.NaN],
      [1, 2, 3, 4, 5],
    ],
    1,
  );
  expect([...gradients, ...own, ...losses]).toEqual([1, 2, 3, 4, 5]);
});

test("any number of workers and findings: as a plain sum in double precision says", () => {
  const cases = fc.record({
    workers: fc.integer({ min: 1, max: 5 }),
    length: fc.integer({ min: 1, max: 41 }),
    size: fc.integer({ min: 1, max: 64 }),
    seed: fc.nat(999),
  });
  fc.assert(
    fc.property(cases, ({ workers, length, size, seed }) => {
      const found = Array.from({ length: workers }, (_, worker) =>
        Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + worker * 7.1 + i * 78.233))),
      );
      const { gradients } = meanOf(found, size, { gradients: length, own: 0 });
      for (let i = 0; i < length; i++) {
        const parts = found.map((values, worker) => {
          const [from, to] = shareOf(size, workers, worker);
          return ((to - from) / size) * values[i]!;
        });
        expect(gradients[i]).toBeCloseTo(
          parts.reduce((sum, part) => sum + part, 0),
          6,
        );
      }
    }),
    { numRuns: 100 },
  );
});
