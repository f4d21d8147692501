/** The benchmark in a real Chromium: the same answers as in Node, with the page isolated, and WebGPU named for what it is. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBench, textTable } from "@distillate/bench/node";
import { expect, test } from "vitest";
import { momentOf, probeInputs, targetOf } from "../fixtures/bench-options.ts";
import { fixtureBundles, writeBundle } from "../fixtures/bundles.ts";
import { findChromium } from "./chromium.ts";

test.skipIf(!findChromium())("WebAssembly and WebGPU in a page against Node (needs Chromium)", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-bench-"));
  const bundle = (await fixtureBundles()).find(({ name }) => name === "cnn")!;
  await writeBundle(bundle, directory);
  const targets = [
    targetOf(directory, "fp32", "onnxruntime-node", "node"),
    targetOf(directory, "fp32", "onnxruntime-web-wasm", "chromium"),
    { ...targetOf(directory, "int8", "onnxruntime-web-wasm", "chromium"), id: "two", threads: 2 },
  ];
  const inputs = probeInputs(bundle);
  const report = await runBench(momentOf(targets, inputs, { scenarios: ["cold-start", "runtime-size"] }));
  const [native, wasm, two] = report.targets;
  // The software adapter takes its time: WebGPU is opened once, without a cold start.
  const onGpu = targetOf(directory, "fp32", "onnxruntime-web-webgpu", "chromium");
  const options = { softwareWebgpu: true, webgpuOnHardwareOnly: false, scenarios: [] };
  const gpuReport = await runBench(momentOf([targets[0]!, onGpu], inputs, options));
  const webgpu = gpuReport.targets[1]!;
  expect([native, wasm, two, webgpu].map((target) => target!.problem)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  for (const target of [wasm!, webgpu]) {
    expect(target.quality!.largestDifference).toBeLessThan(1e-3);
    expect(target.details.isolated).toBe(true);
  }
  for (const starts of [wasm!.coldStart!.starts, wasm!.coldStart!.warmStarts!]) {
    expect(starts).toEqual([expect.objectContaining({ runtime: expect.any(Number), compile: expect.any(Number) })]);
  }
  expect(native!.coldStart!.warmStarts).toBeUndefined();
  expect(wasm!.coldStart!.memory!.wasmHeap).toBeGreaterThan(1e6);
  expect(report.runtimes!.map(({ runtime, files }) => [runtime, files.length])).toEqual([["onnxruntime-web-wasm", 2]]);
  const [script, binary] = report.runtimes![0]!.files;
  expect(script!.gzipBytes).toBeLessThan(script!.bytes / 2);
  expect(binary!.brotliBytes).toBeLessThan(binary!.gzipBytes);
  expect(textTable(gpuReport.targets)).toContain("WebGPU in Chromium, software adapter");
  expect(report.environment.chromium).toMatch(/^\d+\./);
});
