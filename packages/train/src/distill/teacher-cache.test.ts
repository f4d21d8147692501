import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { Images } from "../data/dataset.ts";
import { selectEngine } from "../engine/select.ts";
import { type Logits, predictLogits } from "../evaluate.ts";
import { greySquares } from "../grey-squares.test.cases.ts";
import { buildModel } from "../models/index.ts";
import { cachedTeacher, meanTeacher, tableTeacher } from "./teacher-cache.ts";

const images: Images = {
  count: 150,
  shape: [8, 8, 1],
  pixels: Uint8Array.from({ length: 150 * 64 }, (_, i) => (i * 37) % 256),
  classes: new Uint16Array(150),
};
const preprocess = greySquares(8);

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const build = (seed: number): ReturnType<typeof buildModel> =>
  buildModel({ name: "cnn", filters: [4], dense: 0, dropout: 0 }, { shape: [8, 8, 1], classes: 3, seed });

const asked =
  (teacher: ReturnType<typeof build>) =>
  (some: Uint32Array): Logits =>
    predictLogits(teacher, images, preprocess, some);

test("rows are those of the batch's images", async () => {
  const teacher = build(1);
  const table = predictLogits(teacher, images, preprocess);
  const lookUp = await cachedTeacher(table, images.count, asked(teacher));
  const indices = Uint32Array.of(149, 0, 7);
  const inputs = new Float32Array();
  const { logits: rows } = await lookUp({ size: 3, indices, inputs, classes: new Int32Array(3) });
  expect([...rows.dataSync()]).toEqual([149, 0, 7].flatMap((i) => [...table.values.subarray(i * 3, i * 3 + 3)]));
});

test("another teacher's table, a damaged one and one that is too short are refused", async () => {
  const teacher = build(1);
  const table = predictLogits(teacher, images, preprocess);
  const damaged = { ...table, values: table.values.map((value, i) => (i === 3 * 4 ? Number.NaN : value)) };
  const short = { ...table, values: table.values.subarray(3) };
  for (const wrong of [predictLogits(build(2), images, preprocess), damaged, short]) {
    await expect(cachedTeacher(wrong, images.count, asked(teacher))).rejects.toMatchObject({
      code: "teacher-cache-mismatch",
    });
  }
});

test("several teachers say the weighted mean of their logits, the geometric mean of their probabilities, and leak nothing", async () => {
  const tables = [1, 2, 3].map((seed) => predictLogits(build(seed), images, preprocess));
  const weights = [1, 3, 0.5];
  const together = meanTeacher(
    tables.map((table, i) => ({ teacher: tableTeacher(table, images.count), weight: weights[i]! })),
  );
  const batch = { size: 2, indices: Uint32Array.of(9, 140), inputs: new Float32Array(), classes: new Int32Array(2) };
  const before = tf.memory().numTensors;
  const { logits } = await together(batch);
  expect(tf.memory().numTensors).toBe(before + 1);
  const said = [...tf.softmax(logits as tf.Tensor2D).dataSync()];
  for (const [row, image] of [9, 140].entries()) {
    const products = [0, 1, 2].map((c) => {
      const logs = tables.map(({ values }) => {
        const own = [...values.subarray(image * 3, image * 3 + 3)];
        return own[c]! - Math.log(own.reduce((sum, z) => sum + Math.exp(z), 0));
      });
      return Math.exp(logs.reduce((sum, log, i) => sum + (log * weights[i]!) / 4.5, 0));
    });
    const total = products.reduce((sum, product) => sum + product, 0);
    for (const [c, product] of products.entries()) expect(said[row * 3 + c]).toBeCloseTo(product / total, 5);
  }
});
