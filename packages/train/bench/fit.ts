/**
 * Runs in a process of its own: `fit.ts ENGINE-fit MODEL SECONDS`. Trains one net by `trainModel` on 60,000 images of the net's
 * shape, batch 64, each one shifted, mirrored and now and then partly erased anew, with a validation after every epoch, and prints
 * one line of JSON as measure.ts does: images a second of the epochs after the first, which compiles.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import { parseConfig } from "../src/config.ts";
import type { Images } from "../src/data/dataset.ts";
import { objectiveOf } from "../src/distill/objective.ts";
import { type EngineName, selectEngine } from "../src/engine/select.ts";
import { trainModel } from "../src/loop.ts";
import { BENCH_MODELS, type BenchModelName } from "./models.ts";

const [wanted, name, seconds] = process.argv.slice(2) as [string, BenchModelName, string];
const BATCH = 64;
const TRAIN = 60_000;
const VALIDATION = 2_000;

const { version } = await selectEngine({ engine: wanted.replace(/-fit$/, "") as EngineName });
const { shape, build, buildTeacher } = BENCH_MODELS[name];
const [height, width, channels] = shape;
const pixels = new Uint8Array((TRAIN + VALIDATION) * height * width * channels);
for (let i = 0; i < pixels.length; i++) pixels[i] = Math.imul(i, 7919) >> 7;
const images: Images = {
  count: TRAIN + VALIDATION,
  shape,
  pixels,
  classes: Uint16Array.from({ length: TRAIN + VALIDATION }, (_, i) => i % 10),
};
const layout = { width, height, channels: channels as 1 | 3, fit: "stretch", layout: "nhwc" } as const;
const centre = { mean: new Array<number>(channels).fill(0.5), std: new Array<number>(channels).fill(0.25) };
const preprocess: PreprocessSpec = { kind: "image", ...layout, scale: 1 / 255, ...centre };
const { student, distill } = parseConfig({
  name: "fit",
  data: { kind: "fashion-mnist" },
  teacher: { model: { name: "cnn" } },
  student: {
    model: { name: "cnn" },
    training: { epochs: 1000, batchSize: BATCH, augment: { shift: 2, flip: true, erase: 0.25 } },
  },
});
const model = build();
const teacher = buildTeacher?.();
const directory = mkdtempSync(join(tmpdir(), "distillate-fit-"));
const stop = new AbortController();
const rates: number[] = [];
let [started, steps, losses] = [0, 0, {} as Readonly<Record<string, number>>];
let used = process.cpuUsage();
try {
  await trainModel({
    model,
    images,
    split: {
      train: Uint32Array.from({ length: TRAIN }, (_, i) => i),
      validation: Uint32Array.from({ length: VALIDATION }, (_, i) => TRAIN + i),
    },
    preprocess,
    training: student.training,
    objective: objectiveOf(student.training, teacher && distill),
    ...(teacher && { teacher: { model: teacher, names: [] } }),
    seed: 1,
    directory,
    signal: stop.signal,
    onEvent(event) {
      if (event.kind === "eager") throw new Error(`not captured: ${event.fallback.reason}`);
      if (event.kind === "prefetch-lost") throw new Error(event.reason);
      if (event.kind === "step" && started > 0) steps++;
      if (event.kind !== "epoch") return;
      losses = event.record.losses;
      if (started === 0) {
        started = performance.now();
        used = process.cpuUsage();
        return;
      }
      rates.push(event.imagesPerSecond);
      if (performance.now() - started >= Number(seconds) * 1000) stop.abort();
    },
  });
} catch (error) {
  if ((error as { code?: string }).code !== "interrupted") throw error;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const { user, system } = process.cpuUsage(used);
rates.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    imagesPerSecond: rates[Math.floor(rates.length / 2)],
    cpuMilliseconds: (user + system) / 1000 / steps,
    steps,
    parameters: model.countParams(),
    loss: losses.total,
    version,
  }),
);
