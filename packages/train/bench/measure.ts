/**
 * Runs in a process of its own: `measure.ts ENGINE MODEL SECONDS [PROTOTYPE]`. Trains one net on one batch of 64 and
 * prints one line of JSON: images a second (median step, and the mean), CPU milliseconds a step and how many steps that was. ENGINE
 * may end in `-eager`, `-bfloat16`, or in `-xN` for N workers.
 *
 * With PROTOTYPE, a directory, the wasm backend gets that prototype's kernels and trains its own way, by `trainOnBatch`;
 * otherwise the step is the one that the training loop runs.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Fallback } from "../src/engine/capture/compile-step.ts";
import { type EngineName, selectEngine } from "../src/engine/select.ts";
import { startTraining } from "../src/parallel/start-training.ts";
import { BENCH_MODELS, type BenchModelName, preprocessOf } from "./models.ts";

const BATCH = 64;
/** V8 compiles on other threads, which so many seconds of steps have behind them: a training runs for minutes. */
const WARM_SECONDS = 5;
const RATE = 1e-3;
/** What may follow an engine's name: without its graphs, convolutions in bfloat16, so many workers. */
const VARIANT = /^(?<engine>.*?)(?:-(?<variant>eager|bfloat16)|-x(?<count>\d+))?$/;
const [wanted, name, seconds, prototype] = process.argv.slice(2) as [string, BenchModelName, string, string?];
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
  const { shape } = BENCH_MODELS[name];
  const pixels = Uint8Array.from({ length: inputs.size }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  const preprocess = preprocessOf({ shape });
  const parts = {
    network: { model, names: [] },
    objective: teacher
      ? ([
          { name: "ce", weight: 0.1, smoothing: 0 },
          { name: "kd", weight: 0.9, temperature: 4, standardize: false },
        ] as const)
      : ([{ name: "ce", weight: 1, smoothing: 0 }] as const),
    ...(teacher && { teacher: { model: teacher, names: [] } }),
    preprocess,
    images: { pixels, shape },
    recipe: { shape, preprocess },
    batchSize: BATCH,
    training: { optimizer, ...(variant === "bfloat16" && { precision: variant }) },
    capture: variant !== "eager",
    onFallback: ({ op, reason }: Fallback) => {
      throw new Error(`not captured at ${op}: ${reason}`);
    },
  };
  const { steps: training, workers: started } = await startTraining(parts, workers);
  if (started.reason !== undefined) throw new Error(`not ${workers} workers: ${started.reason}`);
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
async function timesOf(seconds: number, fewest: number): Promise<number[]> {
  const times: number[] = [];
  for (const start = performance.now(); performance.now() - start < seconds * 1000 || times.length < fewest; ) {
    const before = performance.now();
    loss = await step();
    times.push(performance.now() - before);
  }
  return times;
}

// The first ones are recorded where the engine has graphs.
await timesOf(WARM_SECONDS, 4);
const usedBefore = process.cpuUsage();
const times = await timesOf(Number(seconds), 3);
const used = process.cpuUsage(usedBefore);
const cpuMilliseconds = (used.user + used.system) / 1000 / times.length;
times.sort((a, b) => a - b);
const median = times[Math.floor(times.length / 2)]!;
const imagesPerSecond = (BATCH / median) * 1000;
// Beside other work on the machine the quick steps say more than the middle one.
const quickPerSecond = (BATCH / times[Math.floor(times.length / 10)]!) * 1000;
const meanImagesPerSecond = (BATCH * times.length * 1000) / times.reduce((sum, time) => sum + time, 0);
const parameters = model.countParams();
const megabytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
console.log(
  JSON.stringify({
    imagesPerSecond,
    quickPerSecond,
    meanImagesPerSecond,
    cpuMilliseconds,
    steps: times.length,
    parameters,
    megabytes,
    firstLoss,
    loss,
    version,
    ...(workers > 1 && { workers }),
  }),
);
// Threads would keep the process.
process.exit();
