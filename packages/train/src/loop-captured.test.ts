import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { type ModelConfig, parseConfig } from "./config.ts";
import type { Images } from "./data/dataset.ts";
import { splitTrainValidation } from "./data/split.ts";
import { guide } from "./distill/guide.ts";
import { objectiveOf } from "./distill/objective.ts";
import { selectEngine } from "./engine/select.ts";
import { engineStatus } from "./engine/status.ts";
import { type TrainingEvent, type TrainOptions, trainModel } from "./loop.ts";
import { buildModel } from "./models/index.ts";
import { nextUnit, randomFor } from "./random.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

/** Bright squares in one of three places, under noise. */
const images: Images = (() => {
  const count = 200;
  const pixels = new Uint8Array(count * 144);
  const classes = Uint16Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0; i < count; i++) {
    const random = randomFor(5, i);
    for (let p = 0; p < 144; p++) {
      const inside = Math.floor(p / 12 / 4) === i % 3 && p % 12 > 2 && p % 12 < 9;
      pixels[i * 144 + p] = Math.floor(nextUnit(random) * 120) + (inside ? 80 : 0);
    }
  }
  return { count, shape: [12, 12, 1], pixels, classes };
})();
const side = { width: 12, height: 12, channels: 1 } as const;
const norm = { scale: 1 / 255, mean: [0.3], std: [0.3] };
const preprocess: PreprocessSpec = { kind: "image", ...side, fit: "stretch", ...norm, layout: "nhwc" };
const config = parseConfig({
  name: "t",
  data: { kind: "mnist" },
  teacher: { model: { name: "cnn" } },
  student: {
    model: { name: "cnn", filters: [4], dense: 8, dropout: 0.2 },
    training: {
      epochs: 8,
      // 160 images: five batches, the last of half the size.
      batchSize: 36,
      average: 0.9,
      augment: { shift: 1, mixup: 0.2 },
      clipNorm: 1,
      optimizer: { name: "adam", learningRate: 0.02 },
    },
  },
  // The teacher of this test knows nothing.
  distill: { ce: { weight: 1 }, kd: { weight: 0.05, temperature: { from: 4, to: 2, epochs: 3 } } },
});
const { training } = config.student;

describe.skipIf(!ok)(`training with captured steps${ok ? "" : ` (${detail})`}`, () => {
  beforeAll(async () => {
    await selectEngine({ engine: "tensorflow" });
  });

  const dsCnn: ModelConfig = { name: "ds-cnn", filters: 6, blocks: 1, dropout: 0.2 };

  async function options(over: Partial<TrainOptions> = {}, net: ModelConfig = config.student.model) {
    const shape = { shape: [12, 12, 1], classes: 3 } as const;
    const student = buildModel(net, { ...shape, seed: 3 });
    const teacher = buildModel({ name: "cnn", filters: [4], dense: 0, dropout: 0 }, { ...shape, seed: 4 });
    const objective = objectiveOf(training, config.distill);
    const all: TrainOptions = {
      model: student,
      images,
      split: splitTrainValidation(images.classes, 40, 1),
      preprocess,
      training,
      objective,
      ...guide(student, teacher, objective, {
        images,
        preprocess,
        augment: training.augment,
        seed: 3,
      }),
      seed: 3,
      directory: await mkdtemp(join(tmpdir(), "distillate-captured-")),
      ...over,
    };
    return all;
  }
  const weightsOf = ({ model }: TrainOptions): number[] => model.getWeights().flatMap((each) => [...each.dataSync()]);
  const furthest = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  test("it learns, the teacher and all inside of the step, and leaves no tensor", async () => {
    const first = await options();
    const before = tf.memory().numTensors;
    const { validationAccuracy, history, steps } = await trainModel(first);
    expect(tf.memory().numTensors).toBe(before);
    expect(validationAccuracy).toBeGreaterThan(0.6);
    expect(history.at(-1)!.losses.total).toBeLessThan(history[0]!.losses.total!);
    // Two kinds of batches, each recorded twice.
    expect(steps).toEqual({ eager: 0, recorded: 4, captured: 36, programs: 2, fallbacks: [] });
  });

  test.each([3, 8])("stopped after step %i and resumed, it ends where an undisturbed one does", async (stopAt) => {
    const whole = await options({}, dsCnn);
    await trainModel(whole);
    const abort = new AbortController();
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind === "step" && event.step === stopAt) abort.abort();
    };
    const cut = await options({ signal: abort.signal, onEvent }, dsCnn);
    await expect(trainModel(cut)).rejects.toMatchObject({ code: "interrupted" });
    const events: TrainingEvent[] = [];
    const resumed = await options({ directory: cut.directory, onEvent: (event) => events.push(event) }, dsCnn);
    await trainModel(resumed);
    expect(events[0]).toMatchObject({ kind: "resumed", step: stopAt });
    // Several threads add in no fixed order, and batch normalisation makes much of it.
    expect(furthest(weightsOf(resumed), weightsOf(whole))).toBeLessThan(1e-2);
  });

  test("a loss that is no number ends it, with the step named", async () => {
    const wild = { ...training, clipNorm: undefined, optimizer: { ...training.optimizer, learningRate: 1e38 } };
    const given = await options({ training: wild as unknown as TrainOptions["training"] });
    await expect(trainModel(given)).rejects.toMatchObject({
      code: "loss-not-finite",
      message: expect.stringMatching(/at step \d+/),
    });
  });
});
