import { expect, test } from "vitest";
import { makeBoardMemory, openBoard } from "./board.ts";
import { makeRangeUpdate, type UpdateTask } from "./range-update.ts";

const optimizer = { name: "sgd", learningRate: 1, momentum: 0, weightDecay: 0 } as const;

/** What ranges make of gradients that each worker found alike, from weights and slots of zero. */
function updated(gradient: Float32Array, workers: number, clipNorm?: number) {
  const sizes = { pixels: 0, trained: gradient.length, own: 21, slots: 1, losses: 1, said: 0, workers };
  const memory = makeBoardMemory(sizes);
  const board = openBoard(memory, sizes);
  for (const [worker, found] of board.findings.entries()) {
    found.set(gradient);
    for (let i = 0; i < sizes.own; i++) found[sizes.trained + i] = i + worker;
  }
  const clip = clipNorm === undefined ? {} : { clipNorm };
  const ranges = Array.from({ length: workers }, (_, worker) =>
    makeRangeUpdate({ memory, board, sizes, optimizer, worker, ...clip }),
  );
  const task: UpdateTask = { size: 16 * workers, rate: 1, step: 0, from: 1 };
  for (const range of ranges) range.average(task);
  for (const range of ranges) range.update(task);
  return { weights: board.states[0].weights, trained: sizes.trained };
}

test.each([1, 2, 3])("gradients are limited by the norm of all ranges, however long: %i workers", (workers) => {
  // Beyond one block of squares a range, and all of one sign: a sum that stalls would show.
  const gradient = Float32Array.from({ length: 200_003 }, (_, i) => 1 + (i % 7) / 10);
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0));
  const { weights } = updated(gradient, workers, 2);
  for (const i of [0, 1, 65_536, 100_000, 150_000, 200_002]) {
    expect(weights[i]! * (norm / 2)).toBeCloseTo(-gradient[i]!, 4);
  }
  expect(updated(gradient, workers).weights[200_002]).toBeCloseTo(-gradient[200_002]!, 6);
});

test("with more workers than there are lines of weights some have none; the others' are averaged all the same", () => {
  const { weights, trained } = updated(Float32Array.of(1, 2, 3), 5);
  expect([...weights.subarray(0, trained)]).toEqual([-1, -2, -3]);
  // Each worker saw one more than the one before.
  for (let i = 0; i < 21; i++) expect(weights[trained + i]).toBeCloseTo(i + 2, 5);
});

test("a gradient that is no number reaches every weight where gradients are limited, and its own elsewhere", () => {
  const gradient = Float32Array.from({ length: 40 }, (_, i) => (i === 3 ? Number.NaN : 1));
  expect(updated(gradient, 2, 1).weights.subarray(0, 40).every(Number.isNaN)).toBe(true);
  expect([...updated(gradient, 2).weights.subarray(0, 40)].filter(Number.isNaN)).toHaveLength(1);
});
