import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { loadWasm } from "../engine/wasm.ts";
import { makeBoardMemory, openBoard } from "./board.ts";
import { meanOfShares } from "./mean-of-shares.ts";
import { shareOf } from "./shares.ts";

const sizes = { gradients: 2, own: 2 };

beforeAll(async () => {
  await loadWasm();
});

/** The mean as lists of numbers, of gradients that are those of two weights where there are several numbers. */
function meanOf(found: readonly (readonly number[])[], size: number, where = sizes) {
  const sized = { pixels: 3, weights: 5, findings: found[0]!.length, said: 0, workers: found.length };
  const board = openBoard(makeBoardMemory(sized), sized);
  for (const [worker, values] of found.entries()) board.findings[worker]!.set(values);
  // Nobody reads its gradients here.
  board.findings[0]!.fill(Number.NaN, 0, where.gradients);
  const before = board.findings.map((values) => [...values]);
  const lengths = where.gradients > 1 ? [1, where.gradients - 1] : [1];
  const model = {
    trainableWeights: lengths.map((length) => ({ shape: [length] })),
    nonTrainableWeights: [{ shape: [where.own] }],
  } as unknown as LayersModel;
  const hasShare = shareOf(size, found.length, 0)[1] > 0;
  return tf.tidy(() => {
    const all = tf.tensor1d(found[0]!.slice(0, where.gradients));
    const mine = hasShare ? tf.split(all, lengths) : [];
    const mean = meanOfShares(model, board, mine, size);
    expect(board.findings.map((values) => [...values])).toEqual(before);
    if (hasShare) expect([...tf.concat(mine).dataSync()]).toEqual([...all.dataSync()]);
    const gradients = mean.gradients.flatMap((gradient) => [...gradient.dataSync()]);
    return { gradients, own: [...mean.own], losses: [...mean.losses] } as unknown as tf.TensorContainerObject;
  }) as unknown as Readonly<Record<"gradients" | "own" | "losses", readonly number[]>>;
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
