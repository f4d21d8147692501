import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { EngineName } from "./select.ts";
import { engineStatus } from "./status.ts";

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Twenty steps of our own training step on a seeded net, captured where that can be; prints the losses. */
const script = `
  const tf = await import("@tensorflow/tfjs-core");
  const { selectEngine } = await import(${here("./select.ts")});
  const { buildModel } = await import(${here("../models/index.ts")});
  const { compileTraining } = await import(${here("../compiled-training.ts")});
  const { startOptimizer } = await import(${here("../optimizers/apply.ts")});
  const { makeOptimizer } = await import(${here("../optimizers/index.ts")});
  const engine = await selectEngine({ engine: process.env.ENGINE });
  const model = buildModel({ name: "ds-cnn", filters: 8, blocks: 1, dropout: 0 }, { shape: [12, 12, 1], classes: 4, seed: 1 });
  const optimizer = makeOptimizer({ name: "adam", learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 });
  const state = startOptimizer(model, optimizer);
  const batch = {
    size: 16,
    inputs: Float32Array.from({ length: 16 * 144 }, (_, i) => Math.sin(i * 1.7)),
    classes: Int32Array.from({ length: 16 }, (_, i) => i % 4),
  };
  const teacher = () => ({ logits: tf.tensor2d(Float32Array.from({ length: 64 }, (_, i) => 3 * Math.cos(i)), [16, 4]) });
  const training = compileTraining({
    network: { model, names: [] },
    objective: [{ name: "ce", weight: 0.5, smoothing: 0.1 }, { name: "kd", weight: 0.5, temperature: 3, standardize: false }],
    teacher, optimizer, state, training: { clipNorm: 1 }, preprocess: { height: 12, width: 12, channels: 1 },
  });
  const losses = [];
  for (let step = 0; step < 20; step++) losses.push((await training.take(batch, { rate: 0.01, step, epoch: 0 })).total);
  console.log(JSON.stringify({ engine: engine.name, losses, captured: training.stats().captured }));
`;

async function losses(engine: EngineName): Promise<readonly number[]> {
  const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
  const cwd = new URL("../..", import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, flags, {
    cwd,
    env: { ...process.env, ENGINE: engine },
  });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as {
    engine: EngineName;
    losses: number[];
    captured: number;
  };
  expect(result.engine).toBe(engine);
  expect(result.captured).toBe(engine === "tensorflow" ? 18 : 0);
  return result.losses;
}

// The process that proves an engine runs our source as it is.
process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

test.skipIf(!ok)(`tensorflow takes the same steps as wasm${ok ? "" : ` (${detail})`}`, async () => {
  const [native, wasm] = await Promise.all([losses("tensorflow"), losses("wasm")]);
  expect(wasm.at(-1)).toBeLessThan(wasm[0]!);
  // Sums in another order: the paths part slowly.
  for (const [step, loss] of wasm.entries()) expect(Math.abs(native[step]! - loss) / loss).toBeLessThan(1e-3);
});

test("what is not there is a status with its reason, not an error", async () => {
  const status = await engineStatus("tensorflow-gpu");
  if (!status.ok) expect(status.detail).toMatch(/not installed|never built/);
  expect((await engineStatus("wasm")).ok).toBe(true);
});
