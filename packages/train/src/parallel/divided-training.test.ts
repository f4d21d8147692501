import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import * as tf from "@tensorflow/tfjs-core";
import { constraints } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test, vi } from "vitest";
import { type ModelConfig, parseConfig } from "../config.ts";
import type { Images } from "../data/dataset.ts";
import { splitTrainValidation } from "../data/split.ts";
import { guide } from "../distill/guide.ts";
import { objectiveOf } from "../distill/objective.ts";
import { tableTeacher } from "../distill/teacher-cache.ts";
import { selectEngine } from "../engine/select.ts";
import { greySquares } from "../grey-squares.test.cases.ts";
import { type TrainOptions, trainModel } from "../loop.ts";
import { freezeLayers } from "../models/freeze.ts";
import { buildModel } from "../models/index.ts";
import { quantizeAware } from "../quantize-aware/quantize-aware.ts";
import { nextUnit, randomFor } from "../random.ts";
import type { DividedParts } from "./divided-training.ts";
import { startTraining } from "./start-training.ts";

/** How long a leader and its workers look before they sleep, where a test says so. */
const looks = vi.hoisted((): { milliseconds?: number } => ({}));
vi.mock(import("./barriers.ts"), async (original) => {
  const barriers = await original();
  return { ...barriers, makeBarriers: (threads) => barriers.makeBarriers(threads, looks.milliseconds) };
});

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const SHAPE = [8, 8, 1] as const;
/** Squares in one of three places, with noise. */
const images: Images = (() => {
  const count = 150;
  const pixels = new Uint8Array(count * 64);
  const classes = Uint16Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0; i < count; i++) {
    const random = randomFor(5, i);
    for (let p = 0; p < 64; p++) {
      pixels[i * 64 + p] = Math.floor(nextUnit(random) * 120) + (Math.floor(p / 24) === i % 3 ? 80 : 0);
    }
  }
  return { count, shape: SHAPE, pixels, classes };
})();
const preprocess = greySquares(8, { mean: 0.3, std: 0.3 });
// Batches of 48 and a last one of 13: shares of different sizes.
const split = splitTrainValidation(images.classes, 41, 1);
const CNN = { name: "cnn", filters: [4] as number[], dense: 8, dropout: 0.4 } as const satisfies ModelConfig;
const RICH = {
  epochs: 2,
  batchSize: 48,
  labelSmoothing: 0.1,
  augment: { shift: 1, flip: true, erase: 0.3, colour: 0.2, mixup: 0.4, cutmix: 0.5 },
  clipNorm: 0.5,
  average: 0.9,
  optimizer: { name: "adam", learningRate: 0.01, weightDecay: 0.01 },
};

interface Case {
  readonly model?: ModelConfig;
  readonly training?: object;
  readonly distill?: object;
  readonly over?: Partial<TrainOptions>;
}

async function options({ model = CNN, training = {}, distill, over = {} }: Case): Promise<TrainOptions> {
  const config = parseConfig({
    name: "t",
    data: { kind: "mnist" },
    teacher: { model: { name: "cnn" } },
    student: { model, training: { ...RICH, ...training } },
    ...(distill && { distill }),
  });
  const student = buildModel(model, { shape: SHAPE, classes: 3, seed: 3 });
  const objective = objectiveOf(config.student.training, distill && config.distill);
  const teacher = buildModel({ ...CNN, filters: [6] }, { shape: SHAPE, classes: 3, seed: 9 });
  const { augment } = config.student.training;
  return {
    model: student,
    images,
    split,
    preprocess,
    training: config.student.training,
    objective,
    ...(distill && guide(student, teacher, objective, { images, preprocess, augment, seed: 3 })),
    seed: 3,
    directory: await mkdtemp(join(tmpdir(), "distillate-divided-")),
    ...over,
  };
}

async function trained(workers: number, how: Case) {
  const given = await options(how);
  const result = await trainModel({ ...given, workers });
  const values = given.model.getWeights().map((weight) => weight.dataSync<"float32">().slice());
  const hash = createHash("sha256");
  for (const each of values) hash.update(each);
  return { result, values, hash: hash.digest("hex"), given };
}

function farthest(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(
    ...a.map((values, i) => values.reduce((most, each, j) => Math.max(most, Math.abs(each - b[i]![j]!)), 0)),
  );
}

const said = Float32Array.from({ length: 150 * 3 }, (_, i) => Math.sin(i));
const CASES: Readonly<Record<string, Case>> = {
  "labels, dropout, every augmentation, mixing, clipping, decay, average": {},
  "a teacher in the step, hints and attention": {
    distill: {
      kd: { weight: { from: 1, to: 0.2, epochs: 2 } },
      fitnet: { weight: 1, taps: [{ student: "conv1", teacher: "conv1" }] },
      at: { weight: 10, taps: [{ student: "conv1", teacher: "conv1" }] },
    },
  },
  "a teacher that is asked, some labels hidden": {
    over: {
      objective: [
        { name: "ce", weight: 0.5 },
        { name: "mse", weight: 0.5 },
      ],
      teacher: tableTeacher({ classes: 3, values: said }, 150),
      hidden: new Set(split.train.filter((_, i) => i % 3 > 0)),
    },
  },
  sgd: { training: { optimizer: { name: "sgd", learningRate: 0.05, momentum: 0.9 } } },
};

test.each(Object.entries(CASES))("several workers take the steps of one: %s", async (name, how) => {
  const workers = name.startsWith("labels") ? 3 : 2;
  const one = await trained(1, how);
  const several = await trained(workers, how);
  expect(several.result.workers).toEqual({ count: workers, wanted: workers });
  // Adam divides by the root of small squares: rounding alone moves weights a little.
  expect(farthest(several.values, one.values)).toBeLessThan(2e-4);
  for (const [i, { losses }] of one.result.history.entries()) {
    for (const [loss, value] of Object.entries(losses)) {
      expect(several.result.history[i]!.losses[loss]).toBeCloseTo(value, 4);
    }
  }
});

test("it makes no difference whether anyone sleeps at a barrier", async () => {
  const watching = await trained(2, {});
  let messages = 0;
  const onWorker = (thread: Worker): void => void thread.on("message", () => messages++);
  process.on("worker", onWorker);
  looks.milliseconds = 0;
  const sleeping = await trained(2, {});
  delete looks.milliseconds;
  process.off("worker", onWorker);
  expect(messages).toBeGreaterThan(1);
  expect(sleeping.hash).toBe(watching.hash);
});

/** The steps of a divided training, or another one, with the first batch. */
async function stepsOf(given: TrainOptions, workers: number, over: Partial<DividedParts> = {}) {
  const parts = {
    ...{ ...given, network: { model: given.model, names: [] } },
    recipe: { shape: SHAPE, preprocess },
    batchSize: 48,
    ...over,
  };
  const { steps } = await startTraining(parts, workers);
  const classes = Int32Array.from(images.classes.subarray(0, 48));
  const indices = Uint32Array.from(classes, (_, i) => i);
  const inputs = Float32Array.from(images.pixels.subarray(0, 48 * 64), (byte) => (byte / 255 - 0.3) / 0.3);
  const batch = { size: 48, inputs, indices, classes };
  return { steps, take: (step: number) => steps.take(batch, { rate: 0.01, step, epoch: 0 }) };
}

const PLAIN: Case = { model: { ...CNN, dropout: 0 }, training: { average: undefined } };

test("weights that somebody sets between two steps are those that the next one starts from", async () => {
  const given = await options(PLAIN);
  const losses: number[][] = [];
  const start = given.model.getWeights().map((weight) => weight.clone());
  for (const workers of [1, 2]) {
    given.model.setWeights(start);
    const { steps, take } = await stepsOf(given, workers);
    const totals: number[] = [];
    for (let step = 0; step < 5; step++) {
      if (step === 3) given.model.setWeights(start);
      totals.push((await take(step)).total!);
    }
    steps.dispose();
    expect(totals[2]).toBeLessThan(totals[0]! - 0.01);
    expect(totals[3]).toBeCloseTo(totals[0]!, 5);
    losses.push(totals);
  }
  for (const [step, loss] of losses[0]!.entries()) expect(losses[1]![step]).toBeCloseTo(loss, 4);
  tf.dispose(start);
});

test("constraints of layers are heeded neither by one worker nor by several", async () => {
  const ends: Float32Array[][] = [];
  for (const workers of [1, 2]) {
    const given = await options(PLAIN);
    const kernel = given.model.layers.at(-1)!.trainableWeights[0] as unknown as { constraint: object };
    kernel.constraint = constraints.maxNorm({ maxValue: 0.01, axis: 0 });
    const { steps, take } = await stepsOf(given, workers);
    for (let step = 0; step < 3; step++) await take(step);
    steps.dispose();
    ends.push(given.model.getWeights().map((weight) => weight.dataSync<"float32">().slice()));
  }
  expect(farthest(ends[1]!, ends[0]!)).toBeLessThan(2e-4);
});

test("a step that throws in this thread is the last, and leaves the weights as they were", async () => {
  const given = await options(PLAIN);
  const { steps, take } = await stepsOf(given, 2, { capture: false });
  await take(0);
  const before = given.model.getWeights().map((weight) => [...weight.dataSync()]);
  const slots = steps.slots();
  const layer = given.model.layers.at(-1)!;
  const call = vi.spyOn(layer, "call").mockImplementationOnce(() => {
    throw new Error("no more");
  });
  await expect(take(1)).rejects.toThrow("no more");
  call.mockRestore();
  await expect(take(1)).rejects.toThrow("no more");
  expect(given.model.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
  expect(steps.slots()).toEqual(slots);
  steps.dispose();
});

test("slots of another optimiser are an error, and no thread is left behind", async () => {
  const given = await options(PLAIN);
  let threads = 0;
  const onWorker = (): void => void threads++;
  process.on("worker", onWorker);
  const slots = [new Float32Array(3)];
  for (const workers of [1, 2]) {
    await expect(stepsOf(given, workers, { slots })).rejects.toMatchObject({ code: "checkpoint-corrupted" });
  }
  process.off("worker", onWorker);
  expect(threads).toBe(0);
});

const DS_CNN: ModelConfig = { name: "ds-cnn", filters: 4, blocks: 1, dropout: 0.2 };

test("the same seed and number of workers give the same bytes, interrupted or not, and nothing is left behind", async () => {
  const whole = await trained(2, { model: DS_CNN });
  const abort = new AbortController();
  const cut = await options({
    model: DS_CNN,
    over: {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.kind === "step" && event.step === 4) abort.abort();
      },
    },
  });
  const before = tf.memory().numTensors;
  await expect(trainModel({ ...cut, workers: 2 })).rejects.toMatchObject({ code: "interrupted" });
  expect(tf.memory().numTensors).toBe(before);
  // What it began with counts, not what is asked for now.
  const resumed = await trained(1, { model: DS_CNN, over: { directory: cut.directory } });
  expect(resumed.result.workers.count).toBe(2);
  expect(resumed.hash).toBe(whole.hash);
});

test("a worker that dies ends the training with its name; resumed, it ends with the same bytes", async () => {
  const whole = await trained(3, { model: DS_CNN });
  const threads: Worker[] = [];
  const onWorker = (thread: Worker): void => void threads.push(thread);
  process.on("worker", onWorker);
  const killed = await options({
    model: DS_CNN,
    over: {
      onEvent: (event) => {
        // It never answers to step 3.
        if (event.kind === "step" && event.step === 2) void threads[1]!.terminate();
      },
    },
  });
  await expect(trainModel({ ...killed, workers: 3 })).rejects.toMatchObject({
    code: "worker-died",
    message: expect.stringContaining("worker 3"),
    hint: expect.stringContaining("again"),
  });
  process.off("worker", onWorker);
  const resumed = await trained(3, { model: DS_CNN, over: { directory: killed.directory } });
  expect(resumed.result.history).toHaveLength(2);
  expect(resumed.hash).toBe(whole.hash);
});

test("frozen layers stay to the bit, and what was learnt is a network like any other", async () => {
  const given = await options({ model: DS_CNN, training: { average: undefined } });
  const kept = given.model.layers.filter(({ name, weights }) => weights.length > 0 && name !== "logits");
  const before = kept.map((layer) => layer.getWeights().map((weight) => [...weight.dataSync()]));
  const thaw = freezeLayers(
    given.model,
    kept.map(({ name }) => name),
  );
  const { workers } = await trainModel({ ...given, workers: 3 });
  thaw();
  expect(workers.count).toBe(3);
  expect(kept.map((layer) => layer.getWeights().map((weight) => [...weight.dataSync()]))).toEqual(before);
});

test("what cannot be divided is trained by one, and says why", async () => {
  const rkd = { weight: 1, taps: [{ student: "conv1", teacher: "conv1" }] };
  const rounded = await options({ model: { ...CNN, dropout: 0 } });
  const cases: readonly (readonly [number, Case, number, string])[] = [
    [2, { distill: { rkd } }, 1, "pairs and triples"],
    [2, { over: { model: quantizeAware(rounded.model).model } }, 1, "Rounded"],
    [2, { training: { batchSize: 24, epochs: 1 } }, 1, "a batch of 24"],
    [4, { training: { epochs: 1 } }, 3, "a batch of 48"],
  ];
  for (const [wanted, how, count, reason] of cases) {
    const events: string[] = [];
    const onEvent: TrainOptions["onEvent"] = (event) => events.push(event.kind);
    const { result } = await trained(wanted, { ...how, over: { ...how.over, onEvent } });
    expect(result.workers).toEqual({ count, wanted, reason: expect.stringContaining(reason) });
    expect(events).toContain("workers");
  }
});
