import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { selectEngine } from "../engine/select.ts";
import type { LossName, LossTerm } from "../losses/index.ts";
import { buildModel } from "../models/index.ts";
import { trainingStep } from "./step.ts";
import { applyTapped, tapStudent, tapTeacher } from "./taps.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const build = (filters: number[], seed: number): LayersModel =>
  buildModel({ name: "cnn", filters, dense: 0, dropout: 0 }, { shape: [12, 12, 1], classes: 4, seed });
const term = (name: LossName, student: string, teacher: string): LossTerm =>
  ({ name, weight: 1, distance: 25, angle: 50, taps: [{ student, teacher }] }) as unknown as LossTerm;
const inputs = (): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: 5 * 144 }, (_, i) => ((i * 37) % 101) / 101),
    [5, 12, 12, 1],
  );

test("taps change nothing of what the student says, and a hint's regressor is no part of it", () => {
  const [student, teacher] = [build([3, 4], 1), build([6, 8], 2)];
  const objective = [term("fitnet", "conv1", "conv1"), term("at", "conv2", "conv2"), term("sp", "conv2", "conv1")];
  const tapped = tapStudent(student, teacher, objective, 1);
  expect(tapped.names).toEqual(["conv1_as_conv1", "conv2"]);
  expect(tapped.model.trainableWeights.length).toBe(student.trainableWeights.length + 2);
  tf.tidy(() => {
    const x = inputs();
    const alone = (student.predict(x) as tf.Tensor).dataSync();
    const { logits, features } = applyTapped(tapped, x, false);
    expect([...logits.dataSync()]).toEqual([...alone]);
    expect(features!.conv1_as_conv1!.shape).toEqual([5, 10, 10, 6]);
    expect(Object.keys(applyTapped(tapTeacher(teacher, objective), x, false).features!)).toEqual(["conv1", "conv2"]);
  });
});

test("every loss on layers moves the student's tapped layer, and only fitnet a regressor", () => {
  for (const name of ["at", "fitnet", "rkd", "sp"] as const) {
    const [student, teacher] = [build([3], 1), build([6], 2)];
    // Cross-entropy of no weight: the head is reached, and what moves it is the loss under test.
    const ce: LossTerm = { name: "ce", weight: 0 };
    const objective = [ce, term(name, "conv1", "conv1")];
    const tapped = tapStudent(student, teacher, objective, 1);
    const x = inputs();
    const said = applyTapped(tapTeacher(teacher, objective), x, false);
    const labels = tf.tensor1d([0, 1, 2, 3, 0], "int32");
    const { losses, gradients } = trainingStep(tapped, objective, x, { labels: { classes: labels }, teacher: said });
    expect(losses[name]!.dataSync()[0]).toBeGreaterThan(0);
    const size = (layer: string): number =>
      Math.max(
        ...[...gradients].filter(([key]) => key.startsWith(layer)).flatMap(([, g]) => [...g.dataSync()].map(Math.abs)),
      );
    expect(size("conv1/"), name).toBeGreaterThan(0);
    expect(size("logits/"), name).toBe(0);
    expect([...gradients.keys()].some((key) => key.startsWith("conv1_as_conv1/"))).toBe(name === "fitnet");
  }
});

test("layers that are not there and shapes that do not fit are named before the first step", () => {
  const [student, teacher] = [build([3, 4], 1), build([6], 2)];
  expect(() => tapStudent(student, teacher, [term("at", "conv9", "conv1")], 1)).toThrowError(
    expect.objectContaining({ code: "tap-unknown", hint: expect.stringContaining("conv1") }),
  );
  for (const name of ["at", "fitnet"] as const) {
    expect(() => tapStudent(student, teacher, [term(name, "conv2", "conv1")], 1)).toThrowError(
      expect.objectContaining({
        code: "tap-mismatch",
        message: expect.stringMatching(/\[batch, 3, 3, 4\].*\[batch, 10, 10, 6\]/),
      }),
    );
  }
  expect(() => tapStudent(student, teacher, [term("sp", "conv2", "conv1")], 1)).not.toThrow();
});
