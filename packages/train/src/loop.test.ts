import { createHash } from "node:crypto";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { type CheckpointInfo, loadModel, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { type ModelConfig, parseConfig } from "./config.ts";
import { type Images, NO_LABEL } from "./data/dataset.ts";
import { splitTrainValidation } from "./data/split.ts";
import { guide } from "./distill/guide.ts";
import { objectiveOf } from "./distill/objective.ts";
import { tableTeacher } from "./distill/teacher-cache.ts";
import { selectEngine } from "./engine/select.ts";
import { accuracyOf, predictLogits } from "./evaluate.ts";
import { type TrainingEvent, type TrainOptions, trainModel } from "./loop.ts";
import { freezeLayers } from "./models/freeze.ts";
import { buildModel } from "./models/index.ts";
import { nextUnit, randomFor } from "./random.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

/** Bright squares in one of three places: easy, but not at once. */
const images: Images = (() => {
  const count = 240;
  const pixels = new Uint8Array(count * 144);
  const classes = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const random = randomFor(5, i);
    classes[i] = i % 3;
    for (let p = 0; p < 144; p++) {
      const inside = Math.floor(p / 12 / 4) === i % 3 && p % 12 > 2 && p % 12 < 9;
      pixels[i * 144 + p] = Math.floor(nextUnit(random) * 120) + (inside ? 80 : 0);
    }
  }
  return { count, shape: [12, 12, 1], pixels, classes };
})();
const preprocess: PreprocessSpec = {
  kind: "image",
  width: 12,
  height: 12,
  channels: 1,
  fit: "stretch",
  scale: 1 / 255,
  mean: [0.3],
  std: [0.3],
  layout: "nhwc",
};
const split = splitTrainValidation(images.classes, 40, 1);
const config = parseConfig({
  name: "t",
  data: { kind: "mnist" },
  teacher: { model: { name: "cnn" } },
  student: {
    model: { name: "cnn", filters: [4], dense: 8, dropout: 0.3 },
    training: {
      epochs: 4,
      batchSize: 32,
      augment: { shift: 1, erase: 0.2 },
      clipNorm: 1,
      optimizer: { name: "adam", learningRate: 0.01 },
    },
  },
});

async function options(
  over: Partial<TrainOptions> = {},
  model: ModelConfig = config.student.model,
): Promise<TrainOptions> {
  return {
    model: buildModel(model, { shape: [12, 12, 1], classes: 3, seed: 3 }),
    images,
    split,
    preprocess,
    training: config.student.training,
    objective: objectiveOf(config.student.training),
    seed: 3,
    directory: await mkdtemp(join(tmpdir(), "distillate-loop-")),
    ...over,
  };
}

const hashOf = (model: TrainOptions["model"]): string => {
  const hash = createHash("sha256");
  for (const weight of model.getWeights()) hash.update(new Uint8Array(weight.dataSync().slice().buffer));
  return hash.digest("hex");
};

test("learns, repeats itself bit by bit, and leaks no tensor", async () => {
  const first = await options();
  const result = await trainModel(first);
  expect(result.validationAccuracy).toBeGreaterThan(0.9);
  expect(result.history).toHaveLength(4);
  const second = await options();
  const before = tf.memory().numTensors;
  await trainModel(second);
  expect(tf.memory().numTensors).toBe(before);
  expect(hashOf(second.model)).toBe(hashOf(first.model));
});

test.each([1, 7, 11, 18])("stopped after step %i and resumed, it ends with the same bytes", async (stopAt) => {
  const whole = await options();
  await trainModel(whole);
  const abort = new AbortController();
  const cut = await options({
    signal: abort.signal,
    onEvent: (event) => {
      if (event.kind === "step" && event.step === stopAt) abort.abort();
    },
  });
  await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
  const resumed = await options({ directory: cut.directory });
  const result = await trainModel(resumed);
  expect(result.history).toHaveLength(4);
  expect(hashOf(resumed.model)).toBe(hashOf(whole.model));
});

test.each([1, 2])(
  "a precision that the engine cannot compute in is told, and %i worker trains in float32",
  async (workers) => {
    const told: TrainingEvent[] = [];
    const wanted = await options({
      training: { ...config.student.training, epochs: 1, precision: "bfloat16" },
      workers,
      onEvent: (event) => event.kind === "eager" && told.push(event),
    });
    const { steps } = await trainModel(wanted);
    const fallback = { reason: "bfloat16 needs graphs, this engine computes in float32" };
    expect(told).toEqual([{ kind: "eager", fallback }]);
    expect(steps.fallbacks).toEqual([fallback]);
  },
);

test("batch normalisation's moving averages survive a resume too", async () => {
  const dsCnn = { name: "ds-cnn", filters: 4, blocks: 1, dropout: 0 } as const;
  const whole = await options({}, dsCnn);
  await trainModel(whole);
  const abort = new AbortController();
  const cut = await options(
    { signal: abort.signal, onEvent: (event) => event.kind === "epoch" && abort.abort() },
    dsCnn,
  );
  await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
  const resumed = await options({ directory: cut.directory }, dsCnn);
  await trainModel(resumed);
  expect(hashOf(resumed.model)).toBe(hashOf(whole.model));
});

test("a loss that is no number stops with step and rate; the state before stays", async () => {
  const training = {
    ...config.student.training,
    clipNorm: undefined,
    optimizer: { ...config.student.training.optimizer, learningRate: 1e38 },
  };
  const wild = await options({ training: training as unknown as TrainOptions["training"] });
  await expect(trainModel(wild)).rejects.toMatchObject({
    code: "loss-not-finite",
    message: expect.stringMatching(/at step \d+ \(learning rate \d.*\); no state before it was saved/),
  });
});

test("a corrupted state is named, with the way out", async () => {
  const abort = new AbortController();
  const cut = await options({ signal: abort.signal, onEvent: () => abort.abort() });
  await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
  const path = join(cut.directory, "training-state.bin");
  const bytes = await readFile(path);
  for (const damage of [
    bytes.subarray(0, 5),
    bytes.subarray(0, -1),
    Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes.at(-1)! ^ 1)]),
  ]) {
    await writeFile(path, damage);
    await expect(trainModel(await options({ directory: cut.directory }))).rejects.toMatchObject({
      code: "checkpoint-corrupted",
      hint: expect.stringContaining(path),
    });
  }
});

test("patience ends a training that gets no better", async () => {
  const training = { ...config.student.training, epochs: 50, patience: 2 };
  const result = await trainModel(await options({ training }));
  expect(result.stoppedEarly).toBe(true);
  expect(result.history.length).toBe(result.bestEpoch + 2);
});

test("a checkpoint survives the trip to disk; a changed byte is named", async () => {
  const trained = await options({}, { name: "resnet-8", filters: 4, dropout: 0.1 });
  const info = {
    role: "student" as const,
    seed: 3,
    labels: ["a", "b", "c"],
    preprocess,
    inputShape: images.shape,
    parameters: trained.model.countParams(),
    epoch: 1,
    validationAccuracy: 0.5,
    history: [],
    config: {},
    dataHash: "x",
    engine: "wasm",
  } satisfies CheckpointInfo;
  await writeCheckpoint(trained.directory, trained.model, info);
  const read = await readCheckpoint(trained.directory);
  expect(read.info).toEqual(info);
  const loaded = await loadModel(read.artifacts);
  expect(predictLogits(loaded, images, preprocess).values).toEqual(
    predictLogits(trained.model, images, preprocess).values,
  );
  const path = join(trained.directory, "weights.bin");
  const bytes = await readFile(path);
  bytes[100]! ^= 1;
  await writeFile(path, bytes);
  await expect(readCheckpoint(trained.directory)).rejects.toMatchObject({
    code: "checkpoint-corrupted",
    message: expect.stringContaining(path),
  });
});

test("mixed images and averaged weights: resumed with the same bytes, nothing leaks, and the average is what is kept", async () => {
  const training = {
    ...config.student.training,
    average: 0.9,
    augment: { ...config.student.training.augment, mixup: 0.3, cutmix: 1, colour: 0.2 },
  };
  const whole = await options({ training });
  const before = tf.memory().numTensors;
  const result = await trainModel(whole);
  expect(tf.memory().numTensors).toBe(before);
  expect(result.validationAccuracy).toBeGreaterThan(0.7);
  const plain = await options({ training: { ...training, average: undefined } });
  await trainModel(plain);
  expect(hashOf(plain.model)).not.toBe(hashOf(whole.model));

  const abort = new AbortController();
  const cut = await options({
    training,
    signal: abort.signal,
    onEvent: (event) => {
      if (event.kind === "step" && event.step === 10) abort.abort();
    },
  });
  await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
  const resumed = await options({ training, directory: cut.directory });
  await trainModel(resumed);
  expect(hashOf(resumed.model)).toBe(hashOf(whole.model));
});

test("with hints, a resumed training ends with the same bytes, and the student is the student alone", async () => {
  const teacher = buildModel(
    { name: "cnn", filters: [6], dense: 0, dropout: 0 },
    { shape: [12, 12, 1], classes: 3, seed: 9 },
  );
  const { distill } = parseConfig({
    ...config,
    distill: { fitnet: { weight: { from: 10, to: 1, epochs: 2 }, taps: [{ student: "conv1", teacher: "conv1" }] } },
  });
  const objective = objectiveOf(config.student.training, distill);
  const guided = async (over: Partial<TrainOptions> = {}): Promise<TrainOptions> => {
    const plain = await options(over);
    const augment = config.student.training.augment;
    return {
      ...plain,
      objective,
      ...guide(plain.model, teacher, objective, { images, preprocess, augment, seed: 3 }),
    };
  };
  const whole = await guided();
  const before = tf.memory().numTensors;
  const { history } = await trainModel(whole);
  expect(tf.memory().numTensors).toBe(before);
  expect(history.at(-1)!.losses.fitnet).toBeLessThan(history[0]!.losses.fitnet!);
  expect(whole.model.countParams()).toBe((await options()).model.countParams());

  const abort = new AbortController();
  const cut = await guided({
    signal: abort.signal,
    onEvent: (event) => {
      if (event.kind === "step" && event.step === 9) abort.abort();
    },
  });
  await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
  const resumed = await guided({ directory: cut.directory });
  await trainModel(resumed);
  expect(hashOf(resumed.model)).toBe(hashOf(whole.model));
});

test("images without a label count for the teacher alone: whatever stands where their labels would, nothing changes", async () => {
  const unlabelled = split.train.filter((_, i) => i % 2 === 0);
  const relabelled = (label: number): Images => ({
    ...images,
    classes: images.classes.map((own, i) => (unlabelled.includes(i) ? label : own)),
  });
  const objective = [
    { name: "ce", weight: 0.5 },
    { name: "mse", weight: 0.5 },
  ] as const;
  const said = new Float32Array(images.count * 3).map((_, i) => Math.sin(i));
  const train = async (over: Partial<TrainOptions>): Promise<unknown> => {
    const training = { ...config.student.training, epochs: 1 };
    const trained = await options({
      objective,
      training,
      teacher: tableTeacher({ classes: 3, values: said }, 240),
      ...over,
    });
    const { history } = await trainModel(trained);
    return { history, weights: trained.model.getWeights().map((weight) => [...weight.dataSync()]) };
  };
  const unknown = await train({ images: relabelled(NO_LABEL) });
  expect(await train({ images: relabelled(2), hidden: new Set(unlabelled) })).toEqual(unknown);
  // Their own labels would count, and so does what the teacher says of them.
  expect(await train({})).not.toEqual(unknown);
  const other = said.map((value, i) => (unlabelled.includes(Math.floor(i / 3)) ? -value : value));
  const otherTeacher = tableTeacher({ classes: 3, values: other }, 240);
  expect(await train({ images: relabelled(NO_LABEL), teacher: otherTeacher })).not.toEqual(unknown);
});

test("frozen layers stay as they are, batch normalisation's averages too, and are as before afterwards", async () => {
  const frozen = await options({}, { name: "resnet-8", filters: 4, dropout: 0 });
  const { model } = frozen;
  const names = model.layers.filter(({ weights }) => weights.length > 0).map(({ name }) => name);
  const kept = names.filter((name) => name !== "logits");
  const values = (): Record<string, number[]> =>
    Object.fromEntries(model.weights.map((weight) => [weight.originalName, [...weight.read().dataSync()]]));
  const before = values();
  const thaw = freezeLayers(model, kept);
  await trainModel(frozen);
  thaw();
  const after = values();
  for (const name of Object.keys(before)) {
    if (name.startsWith("logits")) expect(after[name]).not.toEqual(before[name]);
    else expect(after[name], name).toEqual(before[name]);
  }
  expect(model.trainableWeights.length).toBeGreaterThan(2);
});

test("at the last epoch the model holds that epoch's weights, at the end those of the best", async () => {
  let last: Float32Array | undefined;
  // A rate that ruins it in time: the best epoch is not the last one.
  const training = {
    ...config.student.training,
    epochs: 6,
    optimizer: { ...config.student.training.optimizer, learningRate: 0.3 },
  };
  const trained = await options({
    training,
    onLastEpoch: () => (last = predictLogits(trained.model, images, preprocess).values),
  });
  const { bestEpoch, history, validationAccuracy } = await trainModel(trained);
  expect(bestEpoch).toBeLessThan(history.length);
  const accuracy = (values: Float32Array): number =>
    accuracyOf({ classes: 3, values: takeRows(values, split.validation) }, images.classes, split.validation);
  expect(accuracy(last!)).toBe(history.at(-1)!.validationAccuracy);
  expect(accuracy(predictLogits(trained.model, images, preprocess).values)).toBe(validationAccuracy);
  expect(validationAccuracy).toBeGreaterThan(history.at(-1)!.validationAccuracy);
});

function takeRows(values: Float32Array, rows: Uint32Array): Float32Array {
  return Float32Array.from([...rows].flatMap((row) => [...values.subarray(3 * row, 3 * row + 3)]));
}
