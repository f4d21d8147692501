import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import { type ModelConfig, parseConfig } from "../config.ts";
import { selectEngine } from "../engine/select.ts";
import { type TrainOptions, trainModel } from "../loop.ts";
import { buildModel } from "../models/index.ts";
import { nextUnit, randomFor } from "../random.ts";
import { fakeQuantizeActivation, fakeQuantizeWeight } from "./fake-quantize.ts";
import { foldStudent } from "./fold-student.ts";
import { quantizeAware } from "./quantize-aware.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

describe("fake quantisation", () => {
  test("weights: values by hand, a scale a channel, and gradients that look through the rounding", () => {
    tf.tidy(() => {
      const weight = tf.tensor2d([1.27, 0.1, -0.333, 0, 0.004, -25.4], [3, 2]);
      // Channel 0: scale 0.01; channel 1: scale 0.2, ties to even.
      const expected = [1.27, 0, -0.33, 0, 0, -25.4];
      const found = fakeQuantizeWeight(weight, [0]).dataSync();
      for (const [i, value] of expected.entries()) expect(found[i]!).toBeCloseTo(value, 5);
      // d/dw of sum c w'^2 / 2 is c w' where rounding is looked through.
      const factor = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
      const slope = tf.grad((w) => tf.sum(tf.mul(factor, tf.div(tf.square(fakeQuantizeWeight(w, [0])), 2))));
      const gradient = slope(weight).dataSync();
      for (const [i, value] of expected.entries()) expect(gradient[i]!).toBeCloseTo((i + 1) * value, 4);
    });
  });

  test("activations: values by hand, zero is exact, and no gradient reaches what is cut off", () => {
    tf.tidy(() => {
      const [min, max] = [tf.scalar(-1), tf.scalar(1.55)];
      // Scale 0.01, zero point 100.
      const x = tf.tensor1d([-3, -1, -0.004, 0, 0.123, 1.55, 1.7]);
      const found = fakeQuantizeActivation(x, min, max).dataSync();
      const expected = [-1, -1, 0, 0, 0.12, 1.55, 1.55];
      for (const [i, value] of expected.entries()) expect(found[i]!).toBeCloseTo(value, 5);
      expect(found[3]).toBe(0);
      const gradient = tf.grad((t) =>
        tf.sum(tf.mul(fakeQuantizeActivation(t, min, max), tf.tensor1d([1, 2, 3, 4, 5, 6, 7]))),
      )(x);
      expect([...gradient.dataSync()].map(Math.round)).toEqual([0, 2, 3, 4, 5, 6, 0]);
    });
  });

  test("where values lie on the grid the gradient is the slope that finite differences measure over whole steps", () => {
    tf.tidy(() => {
      const [min, max] = [tf.scalar(0), tf.scalar(2.55)];
      const loss = (at: number): number =>
        tf.tidy(() => tf.sum(tf.square(fakeQuantizeActivation(tf.scalar(at), min, max))).dataSync()[0]!);
      for (const at of [0.5, 1, 2]) {
        const measured = (loss(at + 0.01) - loss(at - 0.01)) / 0.02;
        const gradient = tf
          .grad((x) => tf.sum(tf.square(fakeQuantizeActivation(x, min, max))))(tf.scalar(at))
          .dataSync()[0]!;
        expect(gradient).toBeCloseTo(measured, 3);
      }
    });
  });
});

const MODELS: readonly (readonly [ModelConfig, readonly [number, number, number]])[] = [
  [{ name: "cnn", filters: [4, 6], dense: 8, dropout: 0.3 }, [14, 14, 1]],
  [{ name: "ds-cnn", filters: 6, blocks: 2, dropout: 0.2 }, [12, 12, 1]],
  [{ name: "resnet-8", filters: 4, dropout: 0 }, [16, 16, 3]],
  [{ name: "resnet-9", filters: 4, dropout: 0 }, [16, 16, 3]],
];

/** Weights and statistics that are not where a model begins. */
function stir(model: LayersModel): LayersModel {
  tf.tidy(() =>
    model.setWeights(
      model.getWeights().map((weight, i) => {
        const noise = tf.randomNormal(weight.shape, 0, 0.1, "float32", i + 1);
        return /variance/.test(model.weights[i]!.name) ? tf.add(weight, tf.abs(noise)) : tf.add(weight, noise);
      }),
    ),
  );
  return model;
}

const outputOf = (model: LayersModel, inputs: tf.Tensor, training = false): Float32Array =>
  tf.tidy(() => (model.apply(inputs, { training }) as tf.Tensor).dataSync<"float32">().slice());

function furthest(a: Float32Array, b: Float32Array): number {
  const size = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / size;
}

describe.each(MODELS)("$name", (config, shape) => {
  const student = (): LayersModel => stir(buildModel(config, { shape, classes: 5, seed: 3 }));
  const inputs = (): tf.Tensor => tf.randomUniform([16, ...shape], -1, 1, "float32", 9);

  test("folded it computes the same, without batch norm and dropout", () => {
    const model = student();
    const folded = foldStudent(model);
    const kinds = folded.layers.map((layer) => layer.getClassName());
    expect(kinds).not.toContain("BatchNormalization");
    expect(kinds).not.toContain("Dropout");
    expect(furthest(outputOf(folded, inputs()), outputOf(model, inputs()))).toBeLessThan(1e-5);
  });

  test("rounded it is close to the student but not the same, and gives its weights and ranges back", () => {
    const model = student();
    const aware = quantizeAware(model);
    const float = outputOf(model, inputs());
    // The first batch in training sets the ranges.
    const rounded = outputOf(aware.model, inputs(), true);
    const away = furthest(rounded, float);
    expect(away).toBeGreaterThan(1e-4);
    expect(away).toBeLessThan(0.15);
    expect(furthest(outputOf(aware.model, inputs()), rounded)).toBeLessThan(1e-6);
    const { model: finished, ranges } = aware.finish();
    expect(furthest(outputOf(finished, inputs()), float)).toBeLessThan(1e-5);
    expect(ranges.filter(({ isInput }) => isInput)).toHaveLength(1);
    for (const { min, max } of ranges) {
      expect(min).toBeLessThanOrEqual(0);
      expect(max).toBeGreaterThan(0);
    }
    const relu = ranges.find(({ layer }) => layer.includes("relu"))!;
    expect(relu.min).toBe(0);
  });
});

test("trained by the loop it gets better at rounding, learns its ranges, and leaks no tensor", async () => {
  const count = 192;
  const pixels = new Uint8Array(count * 144);
  const classes = Uint16Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0; i < count; i++) {
    const random = randomFor(5, i);
    for (let p = 0; p < 144; p++) {
      const inside = Math.floor(p / 48) === i % 3 && p % 12 > 2 && p % 12 < 9;
      pixels[i * 144 + p] = Math.floor(nextUnit(random) * 120) + (inside ? 80 : 0);
    }
  }
  const images = { count, shape: [12, 12, 1] as const, pixels, classes };
  const { student } = parseConfig({
    name: "t",
    data: { kind: "mnist" },
    teacher: { model: { name: "cnn" } },
    student: {
      model: { name: "cnn", filters: [6], dense: 8 },
      training: { epochs: 3, batchSize: 32, optimizer: { name: "adam", learningRate: 0.01 } },
    },
  });
  const options = async (model: LayersModel): Promise<TrainOptions> => ({
    model,
    images,
    split: {
      train: Uint32Array.from({ length: 160 }, (_, i) => i),
      validation: Uint32Array.from({ length: 32 }, (_, i) => 160 + i),
    },
    preprocess: {
      kind: "image",
      width: 12,
      height: 12,
      channels: 1,
      fit: "stretch",
      scale: 1 / 255,
      mean: [0.3],
      std: [0.3],
      layout: "nhwc",
    },
    training: student.training,
    objective: [{ name: "ce", weight: 1, smoothing: 0 }],
    seed: 3,
    directory: await mkdtemp(join(tmpdir(), "distillate-aware-")),
  });
  const model = buildModel(student.model, { shape: [12, 12, 1], classes: 3, seed: 3 });
  await trainModel(await options(model));
  const aware = quantizeAware(model);
  const before = tf.memory().numTensors;
  const { history, validationAccuracy } = await trainModel(await options(aware.model));
  expect(tf.memory().numTensors).toBe(before);
  expect(history.at(-1)!.losses.total).toBeLessThan(history[0]!.losses.total!);
  expect(validationAccuracy).toBeGreaterThan(0.8);
  const { ranges } = aware.finish();
  // What pools and flattens passes its scale on, and the logits stay float.
  expect(ranges.map(({ layer }) => layer)).toEqual(["conv1_input", "conv1_relu", "dense_relu"]);
  // Pixels are 0 to 199: (199 / 255 - 0.3) / 0.3 at most.
  expect(ranges[0]!.max).toBeCloseTo((199 / 255 - 0.3) / 0.3, 1);
  expect(ranges[0]!.min).toBeCloseTo(-1, 5);
});
