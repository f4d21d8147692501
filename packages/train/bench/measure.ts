/**
 * A process of its own: `measure.ts ENGINE MODEL [PROTOTYPE]`. Makes one net, trains it on one batch of 64 until V8 has compiled it
 * all and says so by a line of JSON; then it takes as many seconds of steps as each line of its input says, and answers with a line
 * of JSON: images a second (median step, quick tenth, mean), CPU milliseconds a step and how many steps that was. ENGINE may end in
 * `-eager`, `-bfloat16`, or in `-xN` for N workers.
 *
 * With PROTOTYPE, a directory, the wasm backend gets that prototype's kernels and trains its own way, by `trainOnBatch`;
 * otherwise the step is the one that the training loop runs.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Fallback } from "../src/engine/capture/compile-step.ts";
import { type EngineName, selectEngine } from "../src/engine/select.ts";
import { startTraining } from "../src/start-training.ts";
import { BENCH_MODELS, type BenchModelName, preprocessOf } from "./models.ts";

const BATCH = 64;
/** V8 compiles on other threads, which so many seconds of steps have behind them: a training runs for minutes. */
const WARM_SECONDS = 5;
/** Whoever has waited for its turn finds others' data in the caches. */
const WARM_AGAIN_SECONDS = 0.05;
const RATE = 1e-3;
/** What may follow an engine's name: without its graphs, convolutions in bfloat16, so many workers. */
const VARIANT = /^(?<engine>.*?)(?:-(?<variant>eager|bfloat16)|-x(?<count>\d+))?$/;
const [wanted, name, prototype] = process.argv.slice(2) as [string, BenchModelName, string?];
const { engine: base, variant, count } = VARIANT.exec(wanted)!.groups!;
const engine = base as EngineName;
const workers = Number(count ?? 1);

/** What the prototype's files export. */
interface Install {
  install(library: typeof tf, mode?: string): void;
}

async function startPrototype(directory: string): Promise<string> {
  const require = createRequire(import.meta.url);
  setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
  await tf.setBackend("wasm");
  for (const file of ["composed", "extra", "extra2", "extra3"]) {
    (require(join(directory, `${file}.cjs`)) as Install).install(tf, "convtrick");
  }
  return "prototype";
}

async function ourStep(model: LayersModel, inputs: tf.Tensor, labels: tf.Tensor1D): Promise<() => Promise<number>> {
  const teacher = BENCH_MODELS[name].buildTeacher?.();
  const knobs = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
  const optimizer = { name: "adam", learningRate: RATE, ...knobs } as const;
  const parts = {
    network: { model, names: [] },
    objective: teacher
      ? ([
          { name: "ce", weight: 0.1, smoothing: 0 },
          { name: "kd", weight: 0.9, temperature: 4, standardize: false },
        ] as const)
      : ([{ name: "ce", weight: 1, smoothing: 0 }] as const),
    ...(teacher && { teacher: { model: teacher, names: [] } }),
    preprocess: preprocessOf({ shape: BENCH_MODELS[name].shape }),
    training: { optimizer, ...(variant === "bfloat16" && { precision: variant }) },
    capture: variant !== "eager",
    onFallback: ({ op, reason }: Fallback) => {
      throw new Error(`not captured at ${op}: ${reason}`);
    },
  };
  const { steps: training, workers: shared } = await startTraining(parts, workers, () => undefined);
  const { reason } = shared();
  if (reason !== undefined) throw new Error(`not ${workers} workers: ${reason}`);
  const batch = {
    size: BATCH,
    indices: Uint32Array.from({ length: BATCH }, (_, i) => i),
    inputs: inputs.dataSync<"float32">(),
    classes: labels.dataSync<"int32">(),
  };
  let step = 0;
  return async () => (await training.take(batch, { rate: RATE, step: step++, epoch: 0 })).total!;
}

function prototypeStep(model: LayersModel, inputs: tf.Tensor, labels: tf.Tensor1D): () => Promise<number> {
  const onehot = tf.oneHot(labels, 10);
  model.compile({
    optimizer: tf.train.adam(RATE),
    loss: (target: tf.Tensor, logits: tf.Tensor) => tf.losses.softmaxCrossEntropy(target, logits),
  });
  return async () => Number(await model.trainOnBatch(inputs, onehot));
}

const version = prototype ? await startPrototype(prototype) : (await selectEngine({ engine })).version;
const { shape, build } = BENCH_MODELS[name];
const model: LayersModel = build();
const inputs = tf.randomNormal([BATCH, ...shape], 0, 1, "float32", 7);
const labels = tf.tensor1d(
  Int32Array.from({ length: BATCH }, (_label, i) => i % 10),
  "int32",
);
const step = await (prototype ? prototypeStep : ourStep)(model, inputs, labels);

const firstLoss = await step();
let loss = firstLoss;

/** Milliseconds of each step that is taken in so many seconds, and of `fewest` at least. */
async function timesOf(seconds: number, fewest = 1): Promise<number[]> {
  const times: number[] = [];
  for (const start = performance.now(); performance.now() - start < seconds * 1000 || times.length < fewest; ) {
    const before = performance.now();
    loss = await step();
    times.push(performance.now() - before);
  }
  return times;
}

/** Takes so many seconds of steps. */
async function measure(seconds: number) {
  await timesOf(WARM_AGAIN_SECONDS);
  const usedBefore = process.cpuUsage();
  const times = await timesOf(seconds);
  const used = process.cpuUsage(usedBefore);
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  times.sort((a, b) => a - b);
  const rateAt = (part: number): number => (BATCH / times[Math.floor(times.length * part)]!) * 1000;
  return {
    imagesPerSecond: rateAt(0.5),
    // Beside work that comes and goes, and over seconds, the quick steps say more than the middle one.
    quickPerSecond: rateAt(0.1),
    meanImagesPerSecond: (BATCH / mean) * 1000,
    cpuMilliseconds: (used.user + used.system) / 1000 / times.length,
    steps: times.length,
    parameters: model.countParams(),
    megabytes: Math.round(process.memoryUsage.rss() / 2 ** 20),
    firstLoss,
    loss,
    version,
    ...(workers > 1 && { workers }),
  };
}

// The first ones are recorded where the engine has graphs.
await timesOf(WARM_SECONDS, 4);
console.log(JSON.stringify({ warm: true }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await measure(Number(line))));
}
// Threads would keep the process.
process.exit();
