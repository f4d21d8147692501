/**
 * `pnpm bench:bare-page [FILE.onnx ...] [--seconds 4] [--json FILE]`
 *
 * The same files in our benchmark's Chromium target and in a bare page that has nothing but onnxruntime-web and a loop, block by block
 * in turns; without files models in the sizes that recipes ship. Needs Chromium; says so and ends with 0 where there is none.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "@distillate/bench/node";
import { findChromium } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { besideYardstick, type Yardstick } from "./yardstick.ts";
import type { YardstickModel } from "./yardstick-models.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "4" }, json: { type: "string" } },
});
const seconds = Number(values.seconds);

/** As many calls a sample as the page's clock of 5 µs needs for an error of a percent. */
const BARE = `(async (name, dims) => {
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/ort/";
  const model = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 97) / 97);
  const feeds = { [name]: new ort.Tensor("float32", data, dims) };
  let calls = 0;
  const begin = performance.now();
  for (; performance.now() < begin + 300; calls++) await session.run(feeds);
  const batch = Math.ceil((0.5 * calls) / (performance.now() - begin));
  globalThis.block = async (milliseconds) => {
    const samples = [];
    for (const until = performance.now() + milliseconds; performance.now() < until; ) {
      const from = performance.now();
      for (let i = 0; i < batch; i++) await session.run(feeds);
      samples.push((performance.now() - from) / batch);
    }
    return samples;
  };
})`;

async function openBarePage({ path, inputs }: YardstickModel): Promise<Yardstick> {
  const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const server = await serve({ "/ort/": ort });
  server.headers.set("cross-origin-opener-policy", "same-origin").set("cross-origin-embedder-policy", "require-corp");
  server.files.set("/", "<!doctype html><title>bare</title>").set("/model.onnx", await readFile(path));
  const browser = await launchChromium({ softwareWebgpu: false });
  const page = await browser.newPage();
  await page.goto(server.url);
  const [input] = inputs.tensors;
  await page.evaluate(`${BARE}(${JSON.stringify(input!.name)}, ${JSON.stringify([1, ...input!.row])})`);
  return {
    name: "bare page",
    block: (milliseconds) => page.evaluate<readonly number[]>(`block(${milliseconds})`),
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

if (findChromium() === undefined) {
  console.log("skipped: needs Chromium");
} else {
  await besideYardstick({
    command: `pnpm bench:bare-page --seconds ${seconds}`,
    place: "chromium",
    runtime: "onnxruntime-web-wasm",
    threads: 1,
    seconds,
    files: positionals,
    json: values.json,
    open: async (model) => [await openBarePage(model)],
  });
}
