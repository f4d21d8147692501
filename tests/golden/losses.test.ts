import { readFileSync } from "node:fs";
import { LOSSES, type LossTerm, selectEngine } from "@distillate/train";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";

interface Case {
  readonly name: "ce" | "kd";
  readonly smoothing?: number;
  readonly temperature?: number;
  readonly student: number[][];
  readonly teacher: number[][];
  readonly labels: number[];
  readonly value: number;
  readonly gradient: number[][];
}

const { cases } = JSON.parse(readFileSync(new URL("./losses.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

test.each(
  cases.map((golden) => {
    const knob = golden.name === "ce" ? `smoothing ${golden.smoothing}` : `T = ${golden.temperature}`;
    return [`${golden.name}, ${knob}, ${golden.student.length} x ${golden.student[0]!.length}`, golden] as const;
  }),
)("%s: value and gradient as PyTorch's", (_title, golden) => {
  const { name, smoothing, temperature, student, teacher, labels, value, gradient } = golden;
  const term = { name, weight: 1, smoothing, temperature } as LossTerm;
  const loss = LOSSES[term.name] as (input: object, term: LossTerm) => tf.Scalar;
  tf.tidy(() => {
    const found = tf.valueAndGrad((z) =>
      loss({ student: z, teacher: tf.tensor2d(teacher), labels: tf.tensor1d(labels, "int32") }, term),
    )(tf.tensor2d(student));
    const scale = Math.max(1, Math.abs(value));
    // Single precision: what cancels between two logarithms is multiplied by T².
    const rounding = 1e-5 + 2e-7 * (temperature ?? 1) ** 2;
    expect(Math.abs(found.value.dataSync()[0]! - value) / scale).toBeLessThan(rounding);
    const slopes = found.grad.dataSync();
    const largest = Math.max(1e-3, ...gradient.flat().map(Math.abs));
    for (const [i, slope] of gradient.flat().entries())
      expect(Math.abs(slopes[i]! - slope) / largest).toBeLessThan(1e-5);
  });
});
