/** Teachers brought along, in each format: the same logits as in their own runtime, and what is wrong with them found first. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import { exportModel } from "@distillate/export";
import {
  bringTeacher,
  buildModel,
  guideByBrought,
  type Images,
  type Logits,
  predictLogits,
  readTfjsModel,
  selectEngine,
  splitTrainValidation,
  writeCheckpoint,
} from "@distillate/train";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";

const LABELS = ["top", "middle", "bottom"] as const;
const SHAPE = [12, 12, 1] as const;

/** A bright bar in one of three places. */
const images: Images = (() => {
  const count = 150;
  const pixels = new Uint8Array(count * 144);
  const classes = Uint16Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < 144; p++) {
      pixels[i * 144 + p] = ((i * 31 + p * 17) % 60) + (Math.floor(p / 48) === i % 3 ? 150 : 0);
    }
  }
  return { count, shape: SHAPE, pixels, classes };
})();
const { validation } = splitTrainValidation(images.classes, 60, 1);
const data = { labels: LABELS, images, validation };
const preprocess: PreprocessSpec = {
  kind: "image",
  width: 12,
  height: 12,
  channels: 1,
  fit: "stretch",
  scale: 1 / 255,
  mean: [0],
  std: [1],
  layout: "nhwc",
};
const NONE = { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 };

/** Brightness of each third, less that of all: a classifier without training, as a dense layer or a matrix. */
const weights = Float32Array.from({ length: 144 * 3 }, (_, i) => {
  const [pixel, place] = [Math.floor(i / 3), i % 3];
  return ((Math.floor(pixel / 48) === place ? 1 : 0) - 1 / 3) / 20;
});
const expected = (): Logits => ({
  classes: 3,
  values: tf.tidy(() => {
    const flat = tf.tensor2d(
      Float32Array.from(images.pixels, (byte) => byte / 255),
      [images.count, 144],
    );
    return Float32Array.from(tf.matMul(flat, tf.tensor2d(weights, [144, 3])).dataSync());
  }),
});

let directory: string;
const files = {} as { layers: string; graph: string; onnx: string };

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
  directory = await mkdtemp(join(tmpdir(), "distillate-teachers-"));
  const model = buildModel({ name: "cnn", filters: [1], dense: 0, dropout: 0 }, { shape: SHAPE, classes: 3, seed: 1 });
  // A convolution that copies, then each third's own row of what max pooling leaves, less the others'.
  const kernel = tf.tensor4d([0, 0, 0, 0, 1, 0, 0, 0, 0], [3, 3, 1, 1]);
  const pooled = Float32Array.from({ length: 75 }, (_, i) => {
    const [row, place] = [Math.floor(i / 15), i % 3];
    return row % 2 === 1 ? 0 : row === 2 * place ? 1 : -0.5;
  });
  model.setWeights([kernel, tf.zeros([1]), tf.tensor2d(pooled, [25, 3]), tf.zeros([3])]);
  await writeCheckpoint(directory, model, {
    role: "teacher",
    seed: 1,
    labels: LABELS,
    preprocess,
    inputShape: SHAPE,
    parameters: model.countParams(),
    epoch: 1,
    validationAccuracy: 1,
    history: [],
    config: {},
    dataHash: "",
    engine: "wasm",
  });
  files.layers = join(directory, "model.json");
  files.onnx = join(directory, "teacher.onnx");
  await writeFile(files.onnx, exportModel(await readTfjsModel(files.layers), { name: "teacher" }).onnx);
  files.graph = await writeGraph("graph");
});

/** A GraphModel as tfjs-converter writes one: reshape, matrix product, and a softmax where asked for. */
async function writeGraph(name: string, softmax = false): Promise<string> {
  const float = { dtype: { type: "DT_FLOAT" } };
  const dims = (...sizes: number[]): object => ({
    shape: { shape: { dim: sizes.map((size) => ({ size: String(size) })) } },
  });
  const constant = (node: string, type: string, ...sizes: number[]): object => ({
    name: node,
    op: "Const",
    attr: {
      dtype: { type },
      value: { tensor: { dtype: type, tensorShape: { dim: sizes.map((size) => ({ size })) } } },
    },
  });
  const product = softmax ? "product" : "Identity";
  const node = [
    { name: "image", op: "Placeholder", attr: { ...float, ...dims(-1, 12, 12, 1) } },
    constant("sizes", "DT_INT32", 2),
    constant("weights", "DT_FLOAT", 144, 3),
    { name: "flat", op: "Reshape", input: ["image", "sizes"], attr: { T: { type: "DT_FLOAT" } } },
    { name: product, op: "MatMul", input: ["flat", "weights"], attr: { T: { type: "DT_FLOAT" } } },
    ...(softmax ? [{ name: "Identity", op: "Softmax", input: ["product"], attr: { T: { type: "DT_FLOAT" } } }] : []),
  ];
  const bytes = Buffer.concat([Buffer.from(Int32Array.of(-1, 144).buffer), Buffer.from(weights.buffer)]);
  await writeFile(join(directory, `${name}.bin`), bytes);
  const manifest = [
    { name: "sizes", shape: [2], dtype: "int32" },
    { name: "weights", shape: [144, 3], dtype: "float32" },
  ];
  const path = join(directory, `${name}.json`);
  const json = {
    format: "graph-model",
    modelTopology: { node, versions: {} },
    weightsManifest: [{ paths: [`${name}.bin`], weights: manifest }],
  };
  await writeFile(path, JSON.stringify(json));
  return path;
}

function furthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe("the same logits as in its own runtime", () => {
  test.each(["layers", "onnx"] as const)("%s", async (format) => {
    const own = (await readTfjsModel(files.layers)) && (await modelLogits());
    const teacher = await bringTeacher({ from: files[format], labels: [...LABELS] }, data);
    expect(furthest((await teacher.logits(images)).values, own.values)).toBeLessThanOrEqual(1e-4);
    expect(teacher.notes).toEqual([]);
    teacher.classifier.dispose();
  });

  test("graph", async () => {
    const teacher = await bringTeacher({ from: files.graph }, data);
    expect(teacher.classifier.format).toBe("GraphModel");
    expect(furthest((await teacher.logits(images)).values, expected().values)).toBeLessThanOrEqual(1e-4);
    expect(teacher.notes.map(({ code }) => code)).toEqual(["teacher-labels-assumed"]);
    teacher.classifier.dispose();
  });
});

async function modelLogits(): Promise<Logits> {
  const { loadLayersModel } = await import("@tensorflow/tfjs-layers");
  const { modelTopology, weightSpecs, weightData } = await readTfjsModel(files.layers);
  const model = await loadLayersModel(
    tf.io.fromMemory({ modelTopology, weightSpecs: [...weightSpecs], weightData: weightData.slice().buffer }),
  );
  return predictLogits(model, images, preprocess);
}

test("classes in another order are put right by their names; a softmax at the end is undone", async () => {
  const swapped = await bringTeacher({ from: files.graph, labels: ["top", "middle", "bottom"] }, data);
  const straight = (await swapped.logits(images)).values;
  const order = ["bottom", "top", "middle"];
  const renamed = await bringTeacher(
    { from: files.graph, labels: ["top", "middle", "bottom"] },
    { labels: order, validation, images: { ...images, classes: images.classes.map((c) => order.indexOf(LABELS[c]!)) } },
  );
  const turned = (await renamed.logits(images)).values;
  expect([...turned.subarray(0, 3)]).toEqual([straight[2], straight[0], straight[1]]);

  const soft = await bringTeacher({ from: await writeGraph("soft", true), labels: [...LABELS] }, data);
  expect(soft.notes.map(({ code }) => code)).toEqual(["teacher-probabilities"]);
  const { values } = await soft.logits(images);
  for (let i = 0; i < 30; i += 3) {
    expect(values[i]! - values[i + 1]!).toBeCloseTo(straight[i]! - straight[i + 1]!, 3);
  }
});

describe("found before anybody learns from it", () => {
  test("classes that do not fit", async () => {
    const four = { ...data, labels: [...LABELS, "none"] };
    await expect(bringTeacher({ from: files.onnx }, four)).rejects.toMatchObject({ code: "teacher-classes" });
    await expect(bringTeacher({ from: files.onnx, labels: ["a", "b", "c"] }, data)).rejects.toMatchObject({
      code: "teacher-classes",
      message: expect.stringContaining("top, middle, bottom"),
    });
  });

  test("a preprocessing that is not its own, with the one that suits better", async () => {
    // Turned around, bright is dark: right only as it was trained.
    const upsideDown = { scale: 1 / 255, mean: [1], std: [-1] };
    await expect(bringTeacher({ from: files.graph, preprocess: upsideDown }, data)).rejects.toMatchObject({
      code: "teacher-preprocess",
      message: expect.stringMatching(/gets 0\.0 % .* and 100\.0 % right .* with scale/),
    });
    // As right at 255 times the scale, but sure of everything: nothing soft is left to learn from.
    const doubtful = { ...images, classes: images.classes.map((label, i) => (i % 10 === 0 ? (label + 1) % 3 : label)) };
    await expect(
      bringTeacher({ from: files.graph, preprocess: { scale: 1, mean: [0], std: [1] } }, { ...data, images: doubtful }),
    ).rejects.toMatchObject({ code: "teacher-preprocess" });
  });

  test("one that knows nothing of this data", async () => {
    const shuffled = { ...images, classes: images.classes.map((_, i) => (i * 7 + Math.floor(i / 5)) % 3) };
    await expect(bringTeacher({ from: files.graph }, { ...data, images: shuffled })).rejects.toMatchObject({
      code: "teacher-too-weak",
    });
  });

  test("files that are no image classifier", async () => {
    const broken = join(directory, "broken.onnx");
    await writeFile(broken, "no model");
    await expect(bringTeacher({ from: broken }, data)).rejects.toMatchObject({ code: "teacher-unusable" });
    await expect(bringTeacher({ from: join(directory, "none.json") }, data)).rejects.toMatchObject({
      code: "checkpoint-missing",
    });
  });
});

test("asked batch by batch it says what its table says", async () => {
  const teacher = await bringTeacher({ from: files.onnx, labels: [...LABELS] }, data);
  const facts = { images, preprocess };
  const { teacher: cached } = guideByBrought(teacher, { ...facts, augment: NONE });
  const { teacher: live } = guideByBrought(teacher, { ...facts, augment: { ...NONE, flip: true } });
  const indices = Uint32Array.of(3, 77, 149);
  const inputs = Float32Array.from(
    [...indices].flatMap((i) => [...images.pixels.subarray(i * 144, (i + 1) * 144)]),
    (byte) => byte / 255,
  );
  const batch = { size: 3, indices, inputs, classes: new Int32Array(3) };
  const [looked, asked] = [await cached(batch), await live(batch)];
  expect(furthest(looked.logits.dataSync<"float32">(), asked.logits.dataSync<"float32">())).toBeLessThanOrEqual(1e-5);
});
