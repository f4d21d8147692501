import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { selectEngine } from "../engine/select.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { distillation } from "./distillation.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const STUDENT = [0.5, -1.2, 2, 0.1, 0.3, -0.4];
const TEACHER = [1.5, -0.2, 3, -1, 0.8, 0.2];
const LABELS = [2, 0];

/** The formulas once more, in double precision on plain arrays. */
const rows = (values: readonly number[]): number[][] => [values.slice(0, 3), values.slice(3)];
const softmax = (row: readonly number[]): number[] => {
  const sum = row.reduce((total, z) => total + Math.exp(z), 0);
  return row.map((z) => Math.exp(z) / sum);
};
const referenceCe = (values: readonly number[], smoothing: number): number =>
  rows(values).reduce((total, row, n) => {
    const target = row.map((_, c) => (c === LABELS[n] ? 1 - smoothing : 0) + smoothing / 3);
    return total - softmax(row).reduce((sum, p, c) => sum + target[c]! * Math.log(p), 0) / 2;
  }, 0);
const referenceKd = (values: readonly number[], t: number): number =>
  rows(values).reduce((total, row, n) => {
    const s = softmax(row.map((z) => z / t));
    const teacher = softmax(rows(TEACHER)[n]!.map((z) => z / t));
    return total + (t * t * teacher.reduce((sum, p, c) => sum + p * Math.log(p / s[c]!), 0)) / 2;
  }, 0);

const two = (values: readonly number[]): tf.Tensor2D => tf.tensor2d([...values], [2, 3]);
const ce = (smoothing: number) => (z: tf.Tensor) =>
  crossEntropy(z as tf.Tensor2D, tf.tensor1d(LABELS, "int32"), smoothing);
const kd = (t: number) => (z: tf.Tensor) => distillation(z as tf.Tensor2D, two(TEACHER), t);

test.each([
  ["cross-entropy", ce(0), (z: readonly number[]) => referenceCe(z, 0)],
  ["cross-entropy, smoothed", ce(0.1), (z: readonly number[]) => referenceCe(z, 0.1)],
  ["distillation, T = 1", kd(1), (z: readonly number[]) => referenceKd(z, 1)],
  ["distillation, T = 4", kd(4), (z: readonly number[]) => referenceKd(z, 4)],
])("%s: value, and gradient against finite differences of the formula", (_name, loss, reference) => {
  tf.tidy(() => {
    expect(loss(two(STUDENT)).dataSync()[0]).toBeCloseTo(reference(STUDENT), 5);
    const gradient = tf.grad(loss)(two(STUDENT)).dataSync();
    for (const [i, z] of STUDENT.entries()) {
      const moved = (by: number): number[] => STUDENT.map((value, k) => (k === i ? z + by : value));
      const slope = (reference(moved(1e-5)) - reference(moved(-1e-5))) / 2e-5;
      expect(gradient[i]).toBeCloseTo(slope, 4);
    }
  });
});

test("the same logits as the teacher's: nothing to learn", () => {
  tf.tidy(() => {
    expect(kd(4)(two(TEACHER)).dataSync()[0]).toBeCloseTo(0, 6);
  });
});
