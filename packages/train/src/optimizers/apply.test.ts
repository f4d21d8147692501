import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { loadWasm } from "../engine/wasm.ts";
import { applyGradients, clipByGlobalNorm, numbersOf, startOptimizer } from "./apply.ts";
import { makeOptimizer, type OptimizerConfig } from "./index.ts";

beforeAll(async () => {
  await loadWasm();
});

const CONFIGS: readonly OptimizerConfig[] = [
  { name: "adam", learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 },
  { name: "adam", learningRate: 0.01, beta1: 0.8, beta2: 0.99, epsilon: 1e-5, weightDecay: 0.1 },
  { name: "sgd", learningRate: 0.1, momentum: 0.9, weightDecay: 0 },
  { name: "sgd", learningRate: 0.1, momentum: 0, weightDecay: 0.1 },
];
/** A network of one weight. */
function networkOf(weight: tf.Variable): LayersModel {
  return { trainableWeights: [{ name: "w", shape: weight.shape, read: () => weight }] } as unknown as LayersModel;
}

test.each(CONFIGS)(
  "slots too small for all of their digits are zero, what is no number stays: $name, decay $weightDecay",
  (config) => {
    const optimizer = makeOptimizer(config);
    const odd = [1e-39, Number.NaN, -1e-44, Number.POSITIVE_INFINITY, 2e-38, 0, 1e-45, -1e-39, 1, -2e-38, 1e-40];
    const weight = tf.variable(tf.ones([odd.length]));
    const model = networkOf(weight);
    const state = startOptimizer(
      model,
      optimizer,
      optimizer.slots.map(() => Float32Array.from(odd)),
    );
    tf.tidy(() => {
      // What no momentum keeps comes of the gradient alone.
      const isForgetful = config.name === "sgd" && config.momentum === 0;
      const gradient = isForgetful ? tf.tensor1d(odd) : tf.zeros([odd.length]);
      const numbers = Object.entries(numbersOf(optimizer, 0.01, 1000)).map(([name, value]) => [name, tf.scalar(value)]);
      applyGradients(model, optimizer, state, new Map([["w", gradient]]), Object.fromEntries(numbers));
    });
    const tiny = odd.flatMap((value, i) => (Math.abs(value) < 1e-38 ? [i] : []));
    expect(tiny).toHaveLength(6);
    for (const each of state.slots[0]!) {
      const slot = each.dataSync();
      for (const i of tiny) expect(slot[i]).toBe(0);
      expect(slot[1]).toBeNaN();
      if (config.name === "adam") expect(slot[3]).toBe(Number.POSITIVE_INFINITY);
      expect(slot[8]).toBeGreaterThan(0.7);
      expect(slot[4]).toBeGreaterThan(1e-38);
      expect(slot[4]).toBe(-slot[9]!);
    }
    state.dispose();
    weight.dispose();
  },
);

test("the norm of all gradients limits each of them alike", () => {
  tf.tidy(() => {
    const gradients = new Map([
      ["a", tf.tensor1d([3, 0])],
      ["b", tf.tensor1d([4])],
    ]);
    const clipped = clipByGlobalNorm(gradients, 1);
    expect([...clipped.values()].flatMap((each) => [...each.dataSync()])).toEqual(
      [3, 0, 4].map((value) => Math.fround(value * Math.fround(0.2))),
    );
  });
});
