/**
 * `pnpm bench:runtime [PAIRS]`: what this package costs beside bare onnxruntime-web in a worker, in one page of one Chromium,
 * call by call in turn; how long a load from the cache takes to its first result; what aborting a call under way costs; and whether
 * the page was ever held up.
 * Writes docs/results/runtime-overhead.json.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { inPage, openSite, type Site } from "../../../tests/browser/sdk-page.ts";
import { ONNXRUNTIME_VERSION } from "../src/backends/backend.ts";
import { measureAborts } from "./abort.ts";

const PAIRS = Number(process.argv[2] ?? 1000);
const LOADS = 7;
const ABORTS = 12;
const RESULT = join(import.meta.dirname, "../../../docs/results/runtime-overhead.json");
/** What the issue asks for, in milliseconds. */
const BUDGET = { p50: 1.5, overheadP50: 0.2, load: 1200, longTask: 50, abort: 100 } as const;

/** The least that an app could write: one session in a worker, one message a call. */
const BARE_WORKER = `
  import * as ort from "/sdk/onnxruntime-web/ort.wasm.bundle.min.mjs";
  let session;
  onmessage = async ({ data }) => {
    if (data.model) {
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmPaths = "/sdk/onnxruntime-web/";
      session = await ort.InferenceSession.create(data.model, { executionProviders: ["wasm"] });
      return postMessage("ready");
    }
    const results = await session.run({ input: new ort.Tensor("float32", data.data, data.dims) });
    const logits = results.logits.data.slice();
    postMessage(logits, [logits.buffer]);
  };`;

interface Samples {
  readonly bare: readonly number[];
  readonly ours: readonly number[];
  readonly picture: readonly number[];
  readonly longTasks: readonly number[];
}

const MEASURE = `
  const longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  const { name, variant, file, dims, pairs } = argument;
  const model = await sdk.load("/" + name + "/", { backend: "wasm", variant, threads: 1 });
  const worker = new Worker("/bare-worker.js", { type: "module" });
  const ask = (message) => new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(message);
  });
  await ask({ model: new Uint8Array(await (await fetch("/" + name + "/" + file)).arrayBuffer()) });
  const data = Float32Array.from({ length: dims.reduce((product, side) => product * side) }, (_, i) => (i * 31 % 251) / 251);
  const picture = pixels(dims[3], dims[2]);
  const ways = {
    bare: () => ask({ data, dims }),
    ours: () => model.runTensors({ input: { data, dims } }),
    picture: () => model.run(picture),
  };
  const samples = { bare: [], ours: [], picture: [] };
  const once = async (way, keep) => {
    const from = performance.now();
    await ways[way]();
    if (keep) samples[way].push(performance.now() - from);
  };
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let i = -100; i < pairs; i++) {
    const order = Object.keys(ways).sort(() => random() - 0.5);
    for (const way of order) await once(way, i >= 0);
  }
  await model.dispose();
  worker.terminate();
  return { ...samples, longTasks };`;

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function summary(values: readonly number[]): { p50: number; p90: number; p99: number } {
  return {
    p50: round(percentile(values, 0.5)),
    p90: round(percentile(values, 0.9)),
    p99: round(percentile(values, 0.99)),
  };
}

function worst(values: readonly number[]): { p50: number; max: number } {
  return { p50: round(percentile(values, 0.5)), max: round(Math.max(...values)) };
}

function inWords({ p50, max }: { readonly p50: number; readonly max: number }): string {
  return `${p50.toFixed(1)} and ${max.toFixed(1)}`;
}

/** From a page that has just opened to its first result, everything in its cache; the scripts' own loading counts. */
async function measureLoads(
  site: Site,
  name: string,
): Promise<{ load: readonly number[]; longTasks: readonly number[] }> {
  const page = await site.freshPage();
  const load: number[] = [];
  const longTasks: number[] = [];
  for (let i = -1; i < LOADS; i++) {
    await page.goto(site.server.url);
    const found = (await page.evaluate(`(async () => {
      const longTasks = [];
      new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
      const picture = { width: 28, height: 28, data: new Uint8ClampedArray(28 * 28 * 4).fill(99) };
      const from = performance.now();
      const sdk = await import("/sdk/index.js");
      const model = await sdk.load("/${name}/", { backend: "wasm" });
      await model.run(picture);
      const load = performance.now() - from;
      await model.dispose();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { load, longTasks };
    })()`)) as { load: number; longTasks: number[] };
    // The first fills the cache.
    if (i < 0) continue;
    load.push(found.load);
    longTasks.push(...found.longTasks);
  }
  await page.close();
  return { load, longTasks };
}

const site = await openSite();
site.server.headers.set("cross-origin-opener-policy", "same-origin");
site.server.headers.set("cross-origin-embedder-policy", "require-corp");
site.server.files.set("/bare-worker.js", BARE_WORKER);
const page = await site.freshPage();

const models: object[] = [];
for (const bundle of site.bundles) {
  const shape = bundle.manifest.inputs[0]!.shape.slice(1).map(Number);
  for (const { id: variant, file } of bundle.manifest.variants) {
    const argument = { name: bundle.name, variant, file: file.path, dims: [1, ...shape], pairs: PAIRS };
    const { bare, ours, picture, longTasks } = await inPage<Samples>(page, argument, MEASURE);
    // Pair by pair, so that a busy machine is busy for both.
    const overhead = ours.map((value, i) => value - bare[i]!);
    const row = {
      model: bundle.name,
      variant,
      bytes: file.bytes,
      bare: summary(bare),
      ours: summary(ours),
      picture: summary(picture),
      overheadOfMedians: round(percentile(ours, 0.5) - percentile(bare, 0.5)),
      medianOverhead: round(percentile(overhead, 0.5)),
      longTasks: longTasks.map(round),
    };
    models.push(row);
    console.log(
      `${bundle.name} ${variant}: bare ${row.bare.p50} ms, ours ${row.ours.p50} ms, a picture ${row.picture.p50} ms; overhead ${row.overheadOfMedians} ms; long tasks ${longTasks.length}`,
    );
  }
}
const warm = await measureLoads(site, "cnn");
const inMilliseconds = (values: readonly number[]): string =>
  values.map((value) => value.toFixed(0)).join(", ") || "none";
console.log(
  `warm-cache load to first result: ${inMilliseconds(warm.load)} ms; long tasks: ${inMilliseconds(warm.longTasks)}`,
);
const aborts = await measureAborts(await site.freshPage(), ABORTS);
const aborted = { rejected: worst(aborts.rejected), gap: worst(aborts.gap), next: worst(aborts.next) };
console.log(
  `aborting a call under way, median and most of ${ABORTS}: rejected after ${inWords(aborted.rejected)} ms, the page without a turn for ${inWords(aborted.gap)} ms, the next call answered after ${inWords(aborted.next)} ms`,
);

const result = {
  schema: 1,
  command: `pnpm bench:runtime ${PAIRS}`,
  browser: site.browser.version(),
  onnxruntimeWeb: ONNXRUNTIME_VERSION,
  machine: { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism() },
  pairs: PAIRS,
  budget: BUDGET,
  models,
  warmLoad: { model: "cnn", samples: warm.load.map(round), median: round(percentile(warm.load, 0.5)) },
  longTasksWhileLoading: warm.longTasks.map(round),
  abort: { model: "resnet-8", tries: ABORTS, ...aborted },
};
await mkdir(join(RESULT, ".."), { recursive: true });
// Lists of numbers on one line, as the formatter wants them.
const text = JSON.stringify(result, null, 2).replace(
  /\[[\s\d.,]+\]/g,
  (list) => `[${list.match(/[\d.]+/g)!.join(", ")}]`,
);
await writeFile(RESULT, `${text}\n`);
await site.close();
