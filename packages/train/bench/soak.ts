/**
 * `node --import tsx --conditions=@distillate/source packages/train/bench/soak.ts [--engine wasm] [--workers 2] [--steps 100000] [--model mlp]`
 *
 * Many captured steps in one process: resident memory after the first thousand and at the end, and what is left in tfjs and in
 * its backend. A line of JSON; exit status 1 where memory grew by 20 MB or more, or a tensor was left.
 */
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import { type EngineName, selectEngine } from "../src/engine/select.ts";
import { startTraining } from "../src/start-training.ts";
import { BENCH_MODELS, type BenchModelName, preprocessOf } from "./models.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "tensorflow" },
    workers: { type: "string", default: "1" },
    steps: { type: "string", default: "100000" },
    model: { type: "string", default: "mlp" },
  },
});
const LIMIT = 20;
const FIRST = 1000;
const { version } = await selectEngine({ engine: values.engine as EngineName });
const { shape, build } = BENCH_MODELS[values.model as BenchModelName];
const [height, width, channels] = shape;
const model = build();
const knobs = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
const optimizer = { name: "adam", learningRate: 1e-3, ...knobs } as const;
const { steps: training, workers } = await startTraining(
  {
    network: { model, names: [] },
    objective: [{ name: "ce", weight: 1, smoothing: 0 }],
    preprocess: preprocessOf({ shape }),
    training: { optimizer },
  },
  Number(values.workers),
  () => undefined,
);
const backend = tf.backend() as tf.KernelBackend & { readonly binding?: { getNumOfTensors(): number } };
const state = () => ({
  megabytes: process.memoryUsage.rss() / 2 ** 20,
  tensors: tf.memory().numTensors,
  data: backend.binding?.getNumOfTensors() ?? backend.numDataIds(),
});
const batch = {
  size: 64,
  indices: new Uint32Array(64),
  inputs: Float32Array.from({ length: 64 * height * width * channels }, (_, i) => Math.sin(i)),
  classes: Int32Array.from({ length: 64 }, (_, i) => i % 10),
};
const steps = Number(values.steps);
let early = state();
for (let step = 0; step < steps; step++) {
  await training.take(batch, { rate: 1e-4, step, epoch: 0 });
  if (step + 1 === FIRST) early = state();
  // A loop of promises alone never lets the collector's own tasks run.
  if (step % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
}
const late = state();
const grown = late.megabytes - early.megabytes;
const { captured } = training.stats();
const { count } = workers();
console.log(
  JSON.stringify({ model: values.model, version, workers: count, steps, captured, early, late, grownMegabytes: grown }),
);
if (grown >= LIMIT || late.tensors > early.tensors || late.data > early.data) process.exitCode = 1;
