import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { makeMemory } from "../engine/simd/instantiate.ts";
import { instantiateLoops } from "../engine/simd/loops.ts";
import { loadWasm } from "../engine/wasm.ts";
import { applyByLoops, applyGradients, clipByGlobalNorm, clippingScale, numbersOf, startOptimizer } from "./apply.ts";
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
const STEPS = 3;

function wave(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 78.233));
}

test.each(CONFIGS)(
  "updates by loops, into another place or the same, are those by kernels to the bit: $name, decay $weightDecay",
  (config) => {
    const optimizer = makeOptimizer(config);
    const memory = makeMemory(1);
    const loops = instantiateLoops(memory, false);
    for (const length of [1, 6, 67]) {
      const variable = tf.variable(tf.tensor1d(wave(length, 1)));
      const model = {
        trainableWeights: [{ name: "w", shape: [length], read: () => variable }],
      } as unknown as LayersModel;
      const state = startOptimizer(model, optimizer);
      const parts = Array.from({ length: 8 }, (_, i) => new Float32Array(memory.buffer, i * 512, length));
      const room = new Float32Array(memory.buffer, 8 * 512, 8);
      const [gradient, weight, one, two, ...other] = parts as [Float32Array, Float32Array, Float32Array, Float32Array];
      const slots = [one, two].slice(0, optimizer.slots.length);
      for (const each of parts) each.fill(0);
      weight.set(wave(length, 1));
      for (let step = 1; step <= STEPS; step++) {
        gradient.set(wave(length, 10 * step));
        const numbers = numbersOf(optimizer, 0.01 / step, step);
        tf.tidy(() =>
          applyGradients(model, optimizer, state, new Map([["w", tf.tensor1d(gradient)]]), {
            ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)])),
          }),
        );
        const present = { weight, slots };
        const [nextWeight, ...nextSlots] = other as unknown as [Float32Array, ...Float32Array[]];
        const elsewhere = { weight: nextWeight, slots: nextSlots.slice(0, slots.length) };
        const before = [weight, ...slots].map((values) => [...values]);
        applyByLoops(optimizer, { loops, gradient, ...present, numbers, next: elsewhere, room });
        expect([weight, ...slots].map((values) => [...values])).toEqual(before);
        applyByLoops(optimizer, { loops, gradient, ...present, numbers, next: present, room });
        const kernels = [variable, ...state.slots[0]!].map((each) => [...each.dataSync()]);
        expect([weight, ...slots].map((values) => [...values])).toEqual(kernels);
        expect([elsewhere.weight, ...elsewhere.slots].map((values) => [...values])).toEqual(kernels);
      }
      state.dispose();
      variable.dispose();
    }
  },
);

test.each(CONFIGS)(
  "slots too small for all of their digits are zero, what is no number stays: $name, decay $weightDecay",
  (config) => {
    const optimizer = makeOptimizer(config);
    const length = 11;
    const memory = makeMemory(1);
    const loops = instantiateLoops(memory, false);
    const [weight, gradient, one, two, room] = Array.from(
      { length: 5 },
      (_, i) => new Float32Array(memory.buffer, i * 512, length),
    ) as [...[Float32Array, Float32Array, Float32Array, Float32Array, Float32Array]];
    const slots = [one, two].slice(0, optimizer.slots.length);
    const odd = [1e-39, Number.NaN, -1e-44, Number.POSITIVE_INFINITY, 2e-38, 0, 1e-45, -1e-39, 1, -2e-38, 1e-40];
    weight.fill(1);
    for (const slot of slots) slot.set(odd);
    const numbers = numbersOf(optimizer, 0.01, 1000);
    // What no momentum keeps comes of the gradient alone.
    if (config.name === "sgd" && config.momentum === 0) gradient.set(odd);
    applyByLoops(optimizer, { loops, gradient, weight, slots, numbers, next: { weight, slots }, room });
    const tiny = odd.flatMap((value, i) => (Math.abs(value) < 1e-38 ? [i] : []));
    expect(tiny).toHaveLength(6);
    for (const slot of slots) {
      for (const i of tiny) expect(slot[i]).toBe(0);
      expect(slot[1]).toBeNaN();
      if (config.name === "adam") expect(slot[3]).toBe(Number.POSITIVE_INFINITY);
      expect(slot[8]).toBeGreaterThan(0.7);
      expect(slot[4]).toBeGreaterThan(1e-38);
      expect(slot[4]).toBe(-slot[9]!);
    }
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
    expect(clippingScale(25, 1)).toBe(0.2);
    expect(clippingScale(25, 6)).toBe(1);
    expect(clippingScale(Number.NaN, 6)).toBeNaN();
  });
});
