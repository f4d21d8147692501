/**
 * `pnpm bench:bare-page FILE.onnx [--seconds 5] [--rounds 5]`
 *
 * The same file in our benchmark's Chromium target and in a bare page that has nothing but onnxruntime-web and a loop, in turns: the
 * ratio of medians, a round each, and their median. Needs Chromium; says so and ends with 0 where there is none.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { runBench } from "@distillate/bench/node";
import { InferenceSession } from "onnxruntime-node";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { momentOf } from "../fixtures/bench-options.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "5" } },
});
const [file] = positionals;
if (file === undefined) throw new Error("give an .onnx file");
const source = resolve(file);
const seconds = Number(values.seconds);

/** Ten calls a sample: the page's clock has steps of 5 µs. */
const BARE = `(async (name, dims, seconds) => {
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/ort/";
  const model = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 97) / 97);
  const feeds = { [name]: new ort.Tensor("float32", data, dims) };
  for (const until = performance.now() + 300; performance.now() < until; ) await session.run(feeds);
  const samples = [];
  for (const until = performance.now() + 1000 * seconds; performance.now() < until; ) {
    const from = performance.now();
    for (let i = 0; i < 10; i++) await session.run(feeds);
    samples.push((performance.now() - from) / 10);
  }
  return samples.sort((a, b) => a - b)[samples.length >> 1];
})`;

if (findChromium() === undefined) {
  console.log("skipped: needs Chromium");
} else {
  const session = await InferenceSession.create(source);
  const [input] = session.inputMetadata;
  await session.release();
  const row = input!.isTensor ? input!.shape.slice(1).map(Number) : [];
  const length = row.reduce((product, side) => product * side, 1);
  const data = Float32Array.from({ length }, (_, i) => (i % 97) / 97);
  const inputs = { samples: 1, tensors: [{ name: input!.name, dtype: "float32" as const, row, data }] };
  const target = {
    id: "ours",
    model: "ours",
    runtime: "onnxruntime-web-wasm",
    place: "chromium" as const,
    threads: 1,
    source,
  };
  const rule = { name: "peer", runs: 64, milliseconds: 1000 * seconds, patience: 1, coldStarts: 0 };

  const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const server = await serve({ "/ort/": ort });
  server.headers.set("cross-origin-opener-policy", "same-origin").set("cross-origin-embedder-policy", "require-corp");
  server.files.set("/", "<!doctype html><title>bare</title>").set("/model.onnx", await readFile(source));
  const ratios: number[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    const browser = await launchChromium();
    const page = await browser.newPage();
    await page.goto(server.url);
    const argument = [input!.name, [1, ...row], seconds].map((value) => JSON.stringify(value)).join(", ");
    const bare = await page.evaluate<number>(`${BARE}(${argument})`);
    await browser.close();
    const report = await runBench(momentOf([target], inputs, { rule, scenarios: [] }));
    const ours = report.targets[0]!.latency!.summary!.p50;
    ratios.push(ours / bare);
    console.log(
      `round ${round}: ours ${ours.toFixed(4)} ms, bare page ${bare.toFixed(4)} ms, ratio ${(ours / bare).toFixed(3)}`,
    );
  }
  await server.close();
  const sorted = [...ratios].sort((a, b) => a - b);
  console.log(
    `ours / bare page, median of ${ratios.length} rounds: ${sorted[Math.floor((sorted.length - 1) / 2)]!.toFixed(3)}`,
  );
}
