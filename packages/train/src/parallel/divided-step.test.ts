import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { loadWasm } from "../engine/wasm.ts";
import { greySquares } from "../grey-squares.test.cases.ts";
import { buildModel } from "../models/index.ts";
import { makeBoardMemory, openBoard } from "./board.ts";
import { makeDividedSteps, type StepTask } from "./divided-step.ts";
import { readWeights, sizeOf } from "./flat-weights.ts";

beforeAll(async () => {
  await loadWasm();
});

const SHAPE = [8, 8, 1] as const;
const WORKERS = 3;
const SIZE = 48;
const preprocess = greySquares(8);
const optimizer = {
  name: "adam",
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-7,
  weightDecay: 0,
} as const;

/** All workers in one thread, on one board that has the weights of their networks as its first state. */
function makeTeam(clipNorm?: number) {
  const models = Array.from({ length: WORKERS }, () =>
    buildModel({ name: "ds-cnn", filters: 4, blocks: 1, dropout: 0.2 }, { shape: SHAPE, classes: 3, seed: 3 }),
  );
  const [{ trainableWeights, nonTrainableWeights, weights }] = models as [LayersModel];
  const sizes = {
    ...{ pixels: SIZE * 64, trained: sizeOf(trainableWeights), own: sizeOf(nonTrainableWeights) },
    ...{ slots: 2, losses: 2, said: 0, workers: WORKERS },
  };
  const memory = makeBoardMemory(sizes);
  const board = openBoard(memory, sizes);
  for (let i = 0; i < board.pixels.length; i++) board.pixels[i] = Math.imul(i, 2654435761) >>> 24;
  readWeights(weights, board.states[0].weights);
  const workers = models.map((model, worker) =>
    makeDividedSteps({
      ...{ memory, board, sizes, optimizer, workers: WORKERS, worker },
      ...(clipNorm !== undefined && { clipNorm }),
      network: { model, names: [] },
      objective: [{ name: "ce", weight: 1, smoothing: 0 }],
      recipe: { shape: SHAPE, preprocess },
    }),
  );
  const task: StepTask = {
    ...{ size: SIZE, step: 0, epoch: 0, rate: 0.01, from: 0, rewritten: true },
    indices: Uint32Array.from({ length: SIZE }, (_, i) => i),
    classes: Int32Array.from({ length: SIZE }, (_, i) => i % 3),
  };
  const parts = workers.map((each) => each.take(task));
  const valuesOf = (model: LayersModel): Float32Array => {
    const values = new Float32Array(sizes.trained + sizes.own);
    readWeights(model.weights, values);
    return values;
  };
  const dispose = (): void => {
    for (const each of workers) each.dispose();
    for (const each of models) each.dispose();
  };
  return { board, sizes, models, parts, valuesOf, dispose };
}

test.each([undefined, 0.1])(
  "all workers have the same next state, and the one before is as it was; limit %s",
  (clipNorm) => {
    const { board, sizes, models, parts, valuesOf, dispose } = makeTeam(clipNorm);
    const before = board.states[0].weights.slice();
    while (parts.map((part) => part.next().done).includes(false));
    const [from, to] = board.states;
    expect(from.weights).toEqual(before);
    for (const slot of from.slots) expect(slot.every((value) => value === 0)).toBe(true);
    for (const model of models) expect(valuesOf(model)).toEqual(to.weights);
    // Adam's first step is of one size; averages of batch normalisation move as well.
    const moved = to.weights.map((value, i) => Math.abs(value - before[i]!));
    expect(moved.subarray(0, sizes.trained).filter((by) => by > 0.005).length).toBeGreaterThan(sizes.trained * 0.8);
    expect(Math.max(...moved.subarray(0, sizes.trained))).toBeLessThan(0.0101);
    expect(Math.max(...moved.subarray(sizes.trained))).toBeGreaterThan(0);
    const norm = Math.hypot(...to.slots[0]!) / (1 - optimizer.beta1);
    if (clipNorm === undefined) expect(norm).toBeGreaterThan(0.15);
    else expect(norm).toBeCloseTo(clipNorm, 5);
    dispose();
  },
);

test("wherever a worker is lost, the state that the step began with is whole", () => {
  for (let last = 1; last <= 3; last++) {
    const { board, parts, dispose } = makeTeam(0.1);
    const before = [...board.states[0].weights];
    for (let stop = 1; stop <= last; stop++) for (const part of parts) part.next();
    // The others go on, the last does not come to the next barrier.
    for (const part of parts.slice(0, -1)) part.next();
    expect([...board.states[0].weights]).toEqual(before);
    for (const slot of board.states[0].slots) expect(slot.every((value) => value === 0)).toBe(true);
    dispose();
  }
});
