import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { EngineName } from "./select.ts";
import { engineStatus } from "./status.ts";

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Ten steps of our own training on a seeded net, and ten more in which it is rounded, captured where that can be; prints the losses. */
const script = `
  const tf = await import("@tensorflow/tfjs-core");
  const { selectEngine } = await import(${here("./select.ts")});
  const { buildModel } = await import(${here("../models/index.ts")});
  const { quantizeAware } = await import(${here("../quantize-aware/quantize-aware.ts")});
  const { compileTraining } = await import(${here("../compiled-training.ts")});
  const engine = await selectEngine({ engine: process.env.ENGINE });
  const model = buildModel({ name: "ds-cnn", filters: 8, blocks: 1, dropout: 0 }, { shape: [12, 12, 1], classes: 4, seed: 1 });
  const optimizer = { name: "adam", learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
  const batch = {
    size: 16,
    inputs: Float32Array.from({ length: 16 * 144 }, (_, i) => Math.sin(i * 1.7)),
    classes: Int32Array.from({ length: 16 }, (_, i) => i % 4),
  };
  const teacher = () => ({ logits: tf.tensor2d(Float32Array.from({ length: 64 }, (_, i) => 3 * Math.cos(i)), [16, 4]) });
  const objective = [{ name: "ce", weight: 0.5, smoothing: 0.1 }, { name: "kd", weight: 0.5, temperature: 3, standardize: false }];
  const train = async (trained) => {
    const training = compileTraining({
      network: { model: trained, names: [] }, objective, teacher,
      training: { optimizer, clipNorm: 1 },
      preprocess: { height: 12, width: 12, channels: 1, scale: 1, mean: [0], std: [1] },
    });
    const losses = [];
    for (let step = 0; step < 10; step++) losses.push((await training.take(batch, { rate: 0.01, step, epoch: 0 })).total);
    return { losses, captured: training.stats().captured };
  };
  const plain = await train(model);
  // As a distillation does: a saved network beside one of the same names.
  const { artifactsOf, loadModel } = await import(${here("../checkpoint.ts")});
  await loadModel(await artifactsOf(model));
  const rounded = await train(quantizeAware(model).model);
  console.log(JSON.stringify({ engine: engine.name, losses: plain.losses, rounded: rounded.losses, captured: plain.captured }));
`;

interface Losses {
  readonly losses: readonly number[];
  readonly rounded: readonly number[];
}

async function losses(engine: EngineName): Promise<Losses> {
  const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
  const cwd = new URL("../..", import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, flags, {
    cwd,
    env: { ...process.env, ENGINE: engine },
  });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Losses & {
    readonly engine: EngineName;
    readonly captured: number;
  };
  expect(result.engine).toBe(engine);
  expect(result.captured).toBe(8);
  return result;
}

// The process that proves an engine runs our source as it is.
process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

test.skipIf(!ok)(`tensorflow takes the same steps as wasm${ok ? "" : ` (${detail})`}`, async () => {
  const [native, wasm] = await Promise.all([losses("tensorflow"), losses("wasm")]);
  // Sums in another order: the paths part slowly, and sooner where a value tips over to the next step.
  for (const [part, apart] of [
    ["losses", 1e-3],
    ["rounded", 1e-2],
  ] as const) {
    expect(wasm[part].at(-1)).toBeLessThan(wasm[part][0]!);
    for (const [step, loss] of wasm[part].entries())
      expect(Math.abs(native[part][step]! - loss) / loss).toBeLessThan(apart);
  }
});

test("what is not there is a status with its reason, not an error", async () => {
  const status = await engineStatus("tensorflow-gpu");
  if (!status.ok) expect(status.detail).toMatch(/not installed|never built/);
  expect((await engineStatus("wasm")).ok).toBe(true);
});
