import { readFileSync } from "node:fs";
import { LOSSES, type LossInput, type LossName, type LossTerm, selectEngine } from "@distillate/train";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";

type Numbers = number | readonly Numbers[];

interface Case {
  readonly name: LossName;
  readonly knobs: { readonly temperature?: number };
  readonly student: Numbers;
  readonly teacher: Numbers;
  readonly labels: number[];
  readonly value: number;
  readonly gradient: Numbers;
}

const { cases } = JSON.parse(readFileSync(new URL("./losses.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};
const flat = (numbers: Numbers): number[] => [numbers].flat(9) as number[];
const shape = (numbers: Numbers): number[] =>
  Array.isArray(numbers) ? [numbers.length, ...shape(numbers[0] as Numbers)] : [];
const tensor = (numbers: Numbers): tf.Tensor => tf.tensor(flat(numbers), shape(numbers));

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

test("every loss has golden values", () => {
  expect(new Set(cases.map(({ name }) => name))).toEqual(new Set(Object.keys(LOSSES)));
});

test.each(
  cases.map((golden) => {
    const knobs = Object.entries(golden.knobs).map(([knob, value]) => `, ${knob} ${value}`);
    return [`${golden.name}${knobs.join("")}, ${shape(golden.student).join(" x ")}`, golden] as const;
  }),
)("%s: value and gradient as PyTorch's", (_title, golden) => {
  const { name, knobs, student, teacher, labels, value, gradient } = golden;
  const onFeatures = shape(student).length === 4;
  const tap = { student: "ours", teacher: "theirs" };
  const term = { name, weight: 1, standardize: false, taps: [tap], ...knobs } as unknown as LossTerm;
  const loss = LOSSES[name] as (input: LossInput, term: LossTerm) => tf.Scalar;
  const inputOf = (z: tf.Tensor): LossInput => {
    const theirs = tensor(teacher);
    const none = tf.zeros([labels.length, 3]) as tf.Tensor2D;
    return {
      labels: { classes: tf.tensor1d(labels, "int32") },
      student: onFeatures ? { logits: none, features: { ours: z, ours_as_theirs: z } } : { logits: z as tf.Tensor2D },
      teacher: onFeatures ? { logits: none, features: { theirs } } : { logits: theirs as tf.Tensor2D },
    };
  };
  tf.tidy(() => {
    const found = tf.valueAndGrad((z) => loss(inputOf(z), term))(tensor(student));
    const scale = Math.max(1, Math.abs(value));
    // Single precision: what cancels between two logarithms is multiplied by T².
    const rounding = 1e-5 + 2e-7 * (knobs.temperature ?? 1) ** 2;
    expect(Math.abs(found.value.dataSync()[0]! - value) / scale).toBeLessThan(rounding);
    const slopes = found.grad.dataSync();
    const expected = flat(gradient);
    const largest = Math.max(1e-3, ...expected.map(Math.abs));
    for (const [i, slope] of expected.entries())
      expect(Math.abs(slopes[i]! - slope) / largest, `slope ${i}`).toBeLessThan(2e-5);
  });
});
