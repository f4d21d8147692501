import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test, vi } from "vitest";
import { FusedBatchNorm } from "../../models/fused-batch-norm.ts";
import type { OptimizerConfig } from "../../optimizers/index.ts";
import { startTraining } from "../../start-training.ts";
import { MOST_TOLD } from "../threads/control.ts";
import { loadWasm } from "../wasm.ts";
import type { Task } from "./task.ts";

/** What happens to the tasks of a test. */
const how = vi.hoisted(() => ({ areRepeated: false, seen: new Set<string>() }));
vi.mock(import("./index.ts"), async (original) => {
  const actual = await original();
  const repeated = (name: string, { fields, begin }: Task<string>): Task<string> => ({
    fields,
    begin(loops, thread, told) {
      how.seen.add(name);
      const doPart = begin(loops, thread, told);
      if (!how.areRepeated) return doPart;
      // Each part twice, the second time after the next one was done.
      return (part) => {
        doPart(part);
        doPart(Math.max(0, part - 1));
      };
    },
  });
  const entries = Object.entries(actual.TASKS).map(([name, task]) => [name, repeated(name, task as Task<string>)]);
  return { ...actual, TASKS: Object.fromEntries(entries) as unknown as typeof actual.TASKS };
});

beforeAll(async () => {
  await loadWasm();
});

/** A net in which every task has work, with strides, padding and channels off four. */
function net(): LayersModel {
  return sequential({
    layers: [
      layers.conv2d({ inputShape: [15, 14, 3], filters: 6, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, padding: "same", useBias: false }),
      new FusedBatchNorm({}),
      layers.reLU(),
      layers.depthwiseConv2d({ kernelSize: 3, padding: "same", useBias: false }),
      new FusedBatchNorm({}),
      layers.conv2d({ filters: 8, kernelSize: 1 }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 70, activation: "relu" }),
      layers.dense({ units: 4 }),
    ],
  });
}

async function trained(start: LayersModel, optimizer: OptimizerConfig): Promise<readonly (readonly number[])[]> {
  const model = net();
  model.setWeights(start.getWeights());
  const { steps } = await startTraining(
    {
      network: { model, names: [] },
      objective: [{ name: "ce", weight: 1, smoothing: 0 }],
      preprocess: {
        ...{ kind: "image", width: 14, height: 15, channels: 3, fit: "stretch", layout: "nhwc" },
        ...{ scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
      },
      training: { optimizer },
    },
    1,
    () => undefined,
  );
  const size = 19;
  const indices = Uint32Array.from({ length: size }, (_, i) => i);
  const classes = Int32Array.from(indices, (i) => i % 4);
  // An image of 630 bytes takes 632.
  const bytes = Uint8Array.from({ length: size * 632 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  for (let step = 0; step < 4; step++) {
    await steps.take({ size, indices, classes, bytes, inputs: new Float32Array() }, { rate: 0.01, step, epoch: 0 });
  }
  steps.dispose();
  return model.getWeights().map((weight) => [...weight.dataSync()]);
}

const ADAM: OptimizerConfig = {
  name: "adam",
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-7,
  weightDecay: 0,
};
const SGD: OptimizerConfig = { name: "sgd", learningRate: 0.01, momentum: 0.9, weightDecay: 0 };

test("parts that are done twice, later too, are as if they were done once; every task is seen", async () => {
  const start = net();
  for (const optimizer of [ADAM, SGD]) {
    how.areRepeated = false;
    const once = await trained(start, optimizer);
    how.areRepeated = true;
    expect(await trained(start, optimizer)).toEqual(once);
  }
  // Sums of maps, of which that net has none, and products that are read by their rows.
  tf.tidy(() => {
    const [a, b] = [tf.randomNormal([40_000]), tf.randomNormal([40_000])];
    expect([...tf.add(a, b).dataSync()]).toEqual([...a.dataSync().map((value, i) => value + b.dataSync()[i]!)]);
    const wide = tf.randomNormal<tf.Rank.R2>([30, 30]);
    expect(tf.matMul(wide, wide, false, true).shape).toEqual([30, 30]);
  });
  const { TASKS } = await import("./index.ts");
  expect([...how.seen].sort()).toEqual(Object.keys(TASKS).sort());
  for (const { fields } of Object.values(TASKS)) expect(fields.length).toBeLessThanOrEqual(MOST_TOLD);
});
