/** Every preset of the quantiser runs where it says it does: one list of presets over all places where a model can run. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "@distillate/bundle";
import { compact, decodeModel, encodeModel, PRESETS, type PresetName, quantize } from "@distillate/export";
import { load } from "@distillate/runtime-edge/node";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FixtureBundle, fixtureBundles, logits, withChanges, writeBundle } from "../fixtures/bundles.ts";
import { nodeRunner } from "../fixtures/exported-models.ts";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, publish, type Site } from "./sdk-page.ts";

type Place = "node native" | "node wasm" | "page wasm" | "page webgpu";

const PLACES: readonly Place[] = ["node native", "node wasm", "page wasm", "page webgpu"];
const NAMES = Object.keys(PRESETS) as readonly PresetName[];
/** Presets of integers are for CPUs. */
const claimed = (place: Place): readonly PresetName[] =>
  NAMES.filter((preset) => place !== "page webgpu" || PRESETS[preset].form === "stored");

let site: Site | undefined;
let page: Page;
let directory: string;
/** A bundle whose only file is the preset's, and what onnxruntime-node makes of its probe. */
const made = new Map<PresetName, { readonly bundle: FixtureBundle; readonly expected: Float32Array }>();

beforeAll(async () => {
  site = findChromium() ? await openSite({ webgpu: true }) : undefined;
  const cnn = (site?.bundles ?? (await fixtureBundles())).find(({ name }) => name === "cnn")!;
  directory = await mkdtemp(join(tmpdir(), "distillate-presets-"));
  for (const preset of NAMES) made.set(preset, await bundleOf(preset, cnn));
  for (const [preset, { bundle }] of made) {
    await writeBundle(bundle, join(directory, preset));
    if (site) publish(site.server, preset, bundle);
  }
  if (site) page = await site.freshPage();
});

afterAll(() => site?.close());

/** By its own name where a manifest knows it: the runtime has an opinion on some. */
const variantOf = (preset: PresetName): "fp32" | "fp16" => (preset === "fp16" ? "fp16" : "fp32");

async function bundleOf(
  preset: PresetName,
  cnn: FixtureBundle,
): Promise<{ readonly bundle: FixtureBundle; readonly expected: Float32Array }> {
  const { graph } = decodeModel(cnn.files.get("student.fp32.onnx")!);
  const shape = [cnn.probe.samples, ...cnn.manifest.inputs[0]!.shape.slice(1).map(Number)];
  const { buffer, byteOffset, byteLength } = cnn.probe.inputs;
  const feeds = { input: { dtype: "float32" as const, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) } };
  const { graph: quantized } = await quantize(graph, { preset }, { run: nodeRunner, samples: () => [feeds] });
  const onnx = encodeModel(compact(quantized), { producer: "distillate", producerVersion: "test" });
  const path = `student.${preset}.onnx`;
  const file = { path, bytes: onnx.byteLength, sha256: await sha256Hex(onnx) };
  const bundle = await withChanges(
    cnn,
    (manifest) => ({
      ...manifest,
      variants: [{ id: variantOf(preset), file, opset: quantized.opset }],
      probe: { ...manifest.probe!, tolerance: { [variantOf(preset)]: 1 } },
    }),
    new Map([[path, onnx]]),
  );
  return { bundle, expected: await logits(onnx, cnn.probe.inputs, shape) };
}

async function answer(preset: PresetName, place: Place): Promise<readonly number[]> {
  const { bundle } = made.get(preset)!;
  const dims = [bundle.probe.samples, ...bundle.manifest.inputs[0]!.shape.slice(1).map(Number)];
  const backend = place.split(" ")[1]!;
  if (place.startsWith("page")) {
    return inPage(
      page,
      { preset, backend, values: [...bundle.probe.inputs], dims },
      `
      const model = await sdk.load("/" + argument.preset + "/", { backend: argument.backend });
      const input = { data: Float32Array.from(argument.values), dims: argument.dims };
      const { logits } = await model.runTensors({ input });
      await model.dispose();
      return [...logits.data];`,
    );
  }
  const model = await load(join(directory, preset), { backend: backend === "native" ? "node" : "wasm" });
  const { logits: found } = await model.runTensors({ input: { data: bundle.probe.inputs, dims } });
  await model.dispose();
  return [...(found!.data as Float32Array)];
}

/** The software adapter has none, most GPUs do. */
function hasHalves(): Promise<boolean> {
  return page.evaluate(`navigator.gpu.requestAdapter().then((adapter) => adapter.features.has("shader-f16"))`);
}

describe.each(PLACES)("%s", (place) => {
  const skipped = place.startsWith("page") && !findChromium() ? " (needs Chromium)" : "";
  test.skipIf(skipped !== "").each(claimed(place))(`%s${skipped}`, async (preset) => {
    const { bundle, expected } = made.get(preset)!;
    if (preset === "fp16" && place === "page webgpu" && !(await hasHalves())) {
      await expect(answer(preset, place)).rejects.toThrow("this adapter has no 16-bit floats");
      return;
    }
    const found = await answer(preset, place);
    const size = Math.max(...expected.map(Math.abs));
    const away = Math.max(...found.map((value, i) => Math.abs(value - expected[i]!))) / size;
    // Integer kernels, and halves on a GPU, round at other places; whoever computes in floats agrees.
    expect(found).toHaveLength(expected.length);
    expect(away).toBeLessThan(PRESETS[preset].form === "stored" && preset !== "fp16" ? 1e-4 : 0.05);
    // The file is not the float one, and close to it.
    const float = Math.max(...bundle.probe.outputs.map((value, i) => Math.abs(value - expected[i]!))) / size;
    expect(float).toBeGreaterThan(0);
    expect(float).toBeLessThan(0.3);
  });
});
