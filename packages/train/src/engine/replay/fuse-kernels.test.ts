import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { compileStep, type Tensors } from "../capture/compile-step.ts";
import { selectEngine } from "../select.ts";
import { trainBatchNorm } from "../train-batch-norm.ts";
import { fuseKernels } from "./fuse-kernels.ts";
import { dropRecording, recordKernels } from "./record-kernels.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

type Four = tf.Tensor4D;
const noise = (shape: number[], seed: number): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

/** A convolution with bias, rectifier and pooling, then one with normalisation and rectifier; loss and gradients of all weights. */
function layersOf(filters: number, padding: "same" | "valid", pooled: number) {
  const weights = [
    noise([3, 3, 2, filters], 1),
    noise([filters], 2),
    noise([1, 1, filters, 5], 3),
    tf.add(1, noise([5], 4)),
    noise([5], 5),
  ];
  const step = ({ x }: Tensors): Tensors => {
    const { value, grads } = tf.valueAndGrads((first, bias, second, scale, offset) => {
      const map = tf.relu(tf.add(tf.conv2d(x as Four, first as Four, 1, padding), bias!));
      const small = tf.maxPool(map as Four, pooled, 2, "valid");
      const { output } = trainBatchNorm(tf.conv2d(small, second as Four, 1, "same"), scale!, offset!, 1e-3)!;
      return tf.sum(tf.mul(tf.relu(output), noise(output.shape, 6))) as tf.Scalar;
    })(weights);
    return { value, ...Object.fromEntries(grads.map((gradient, i) => [`g${i}`, gradient])) };
  };
  return { weights, step };
}

function kernelsOf(step: (inputs: Tensors) => Tensors, x: tf.Tensor): { before: string[]; after: string[] } {
  const { recording, outputs } = recordKernels(tf.backend() as BackendWasm, [x], () =>
    tf.tidy(() => Object.values(step({ x }))),
  );
  const kept = new Set(recording!.outputs.map(({ datum }) => datum));
  const after = fuseKernels(recording!.runs, kept).map(({ kernel }) => kernel);
  const before = recording!.runs.map(({ kernel }) => kernel);
  dropRecording(recording!);
  tf.dispose([...outputs]);
  return { before, after };
}

const count = (kernels: readonly string[], name: string): number => kernels.filter((each) => each === name).length;

test.each([
  ["channels by four, pooling that covers everything", 8, "same", 2],
  ["channels off four, pooling that leaves an edge out", 6, "valid", 2],
  ["pooling that overlaps", 4, "same", 3],
] as const)("pairs become one and give the same bits: %s", (_name, filters, padding, pooled) => {
  const { weights, step } = layersOf(filters, padding, pooled);
  const batches = [1, 2, 3, 4].map((seed) => noise([3, padding === "same" ? 8 : 9, 8, 2], 10 + seed));
  const { before, after } = kernelsOf(step, batches[0]!);
  expect([count(before, "Relu"), count(before, "ReluGrad"), count(before, "Conv2D")]).toEqual([2, 2, 2]);
  expect([count(after, "Relu"), count(after, "ReluGrad"), count(after, "Conv2D")]).toEqual([0, 0, 1]);
  expect(after).toHaveLength(before.length - 5);

  const compiled = compileStep(step, { optimizer: null });
  for (const x of batches) {
    const [found, expected] = [compiled.run({ x }), tf.tidy(() => step({ x }))];
    for (const [name, tensor] of Object.entries(expected)) {
      expect(found[name]!.dataSync(), name).toEqual(tensor.dataSync());
    }
    tf.dispose([found, expected]);
  }
  expect(compiled.stats().captured).toBe(2);
  compiled.dispose();
  tf.dispose([weights, batches]);
});

test("what is no number is none in recorded and in replayed steps", () => {
  const filter = tf.tensor4d([1, 1, 1, 1, -1, -1, -1, 1], [1, 1, 2, 4]);
  const bias = tf.zeros([4]);
  const step = ({ x }: Tensors): Tensors => ({
    convolved: tf.relu(tf.add(tf.conv2d(x as Four, filter, 1, "same"), bias)),
    normalized: tf.relu(trainBatchNorm(x!, tf.ones([2]), tf.zeros([2]), 1e-3)!.output),
  });
  const compiled = compileStep(step, { optimizer: null });
  const x = tf.fill([1, 2, 2, 2], Number.POSITIVE_INFINITY);
  for (let run = 0; run < 4; run++) {
    const { convolved, normalized } = compiled.run({ x });
    expect([...convolved!.dataSync().slice(0, 4)]).toEqual([Number.NaN, Number.NaN, Number.NaN, Infinity]);
    expect([...normalized!.dataSync()]).toEqual(new Array(8).fill(Number.NaN));
    tf.dispose([convolved!, normalized!]);
  }
  expect(compiled.stats().captured).toBe(2);
  compiled.dispose();
  tf.dispose([filter, bias, x]);
});

test("what no loop does, what is taken twice and what is kept stays as it is", () => {
  const x = noise([2, 8, 8, 2], 1);
  const few = layersOf(3, "same", 2);
  const { before, after } = kernelsOf(few.step, x);
  expect(count(after, "Conv2D")).toBe(count(before, "Conv2D"));
  tf.dispose(few.weights);
  const filter = noise([3, 3, 2, 4], 2) as Four;
  const bias = noise([4], 3);
  const twice = ({ x: input }: Tensors): Tensors => {
    const map = tf.conv2d(input as Four, filter, 1, "same");
    return { sum: tf.relu(tf.add(map, bias)), other: tf.square(map) };
  };
  expect(kernelsOf(twice, x).after).toEqual(["Conv2D", "Add", "Relu", "Square"]);
  const kept = ({ x: input }: Tensors): Tensors => {
    const map = tf.add(tf.conv2d(input as Four, filter, 1, "same"), bias);
    return { map, positive: tf.relu(map) };
  };
  expect(kernelsOf(kept, x).after).toEqual(["FusedConv2D", "Relu"]);
  const later = ({ x: input }: Tensors): Tensors => {
    const map = tf.conv2d(input as Four, filter, 1, "same");
    return { sum: tf.add(map, tf.mul(bias, 2)) };
  };
  expect(kernelsOf(later, x).after).toEqual(["Conv2D", "Multiply", "Add"]);
  const reshaped =
    (columns: number) =>
    ({ x: input }: Tensors): Tensors => ({
      sum: tf.add(tf.reshape(tf.conv2d(input as Four, filter, 1, "same"), [-1, columns]), bias),
    });
  expect(kernelsOf(reshaped(1), x).after).toEqual(["Conv2D", "Add"]);
  expect(kernelsOf(reshaped(4), x).after).toEqual(["FusedConv2D"]);
  const ofMean = ({ x: input }: Tensors): Tensors => {
    const { output, mean } = trainBatchNorm(input!, tf.ones([2]), tf.zeros([2]), 1e-3)!;
    return { output, positive: tf.relu(mean) };
  };
  expect(count(kernelsOf(ofMean, x).after, "Relu")).toBe(1);
  const apart = ({ x: input }: Tensors): Tensors => ({
    sum: tf.add(tf.conv2d(input as Four, filter, 1, "same", "NHWC", 2), bias),
  });
  expect(kernelsOf(apart, x).after).toEqual(["Conv2D", "Add"]);
  tf.dispose([x, filter, bias]);
});
