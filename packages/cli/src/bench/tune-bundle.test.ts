import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeProbe, formatManifest, type Manifest, parseManifest, sha256Hex, verifyFile } from "@distillate/bundle";
import { compact, decodeModel, encodeModel, quantize } from "@distillate/export";
import { expect, test } from "vitest";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { noise, tiny } from "./tiny-graph.test.helper.ts";
import { tuneBundle } from "./tune-bundle.ts";

async function writeTiny(directory: string): Promise<void> {
  const metadata = { producer: "test", producerVersion: "1" };
  const sample = { input: noise([8, 1, 8, 8], 3) };
  const { graph: integer } = await quantize(tiny, {}, { run: nodeRunner, samples: () => [sample] });
  const [fp32, int8] = [encodeModel(tiny, metadata), encodeModel(compact(integer), metadata)];
  const answer = async (onnx: Uint8Array): Promise<Float32Array> =>
    new Float32Array((await (await nodeRunner(onnx)).run(sample)).logits!.bytes.slice().buffer);
  const inputs = new Float32Array(sample.input.bytes.buffer);
  const contents = {
    "student.fp32.onnx": fp32,
    "student.int8.onnx": int8,
    "probe.bin": encodeProbe({ samples: 8, inputs, outputs: await answer(fp32) }),
  };
  const file = async (path: keyof typeof contents): Promise<Manifest["variants"][number]["file"]> => ({
    path,
    bytes: contents[path].byteLength,
    sha256: await sha256Hex(contents[path]),
  });
  const manifest: Manifest = {
    format: "distillate-bundle",
    version: 1,
    id: "nowhere-known",
    semver: "1.0.0",
    task: "image-classification",
    inputs: [{ name: "input", dtype: "float32", shape: ["batch", 1, 8, 8] }],
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 10] }],
    preprocess: {
      kind: "image",
      width: 8,
      height: 8,
      channels: 1,
      fit: "contain",
      scale: 1,
      mean: [0],
      std: [1],
      layout: "nchw",
    },
    postprocess: { kind: "softmax", topK: 1 },
    labels: Array.from({ length: 10 }, (_, i) => String(i)),
    variants: [
      { id: "fp32", file: await file("student.fp32.onnx"), opset: 17 },
      { id: "int8", file: await file("student.int8.onnx"), opset: 17 },
    ],
    probe: { file: await file("probe.bin"), samples: 8, tolerance: { fp32: 1e-4, int8: 1 } },
    provenance: { tool: "test", configHash: "", dataHash: "", seed: 1, student: { model: "tiny", parameters: 1 } },
  };
  for (const [path, bytes] of Object.entries(contents)) await writeFile(join(directory, path), bytes);
  await writeFile(join(directory, "manifest.json"), formatManifest(manifest));
}

test("the manifest says of each backend which variant it shall run; what none wants is not kept, and all checks out", async () => {
  const directory = join(await mkdtemp(join(tmpdir(), "distillate-tune-")), "bundle");
  await mkdir(directory);
  await writeTiny(directory);
  const { choices, report, variants } = await tuneBundle(directory, {
    allowedDrop: 100,
    seed: 1,
    rule: { name: "moment", runs: 4, milliseconds: 40, patience: 1, coldStarts: 1 },
    targets: "node,wasm",
    execArgv: ["--import", "tsx", "--conditions=@distillate/source"],
    signal: new AbortController().signal,
    onEvent: () => undefined,
  });
  expect(report.targets.map(({ model, problem }) => [model, problem])).toEqual(
    [1, 2].flatMap(() => ["fp32", "int8", "int8-weights", "fp16"].map((model) => [model, undefined])),
  );
  expect(choices.map(({ backend }) => backend)).toEqual(["node", "wasm"]);

  const manifest = parseManifest(await readFile(join(directory, "manifest.json"), "utf8"));
  expect(manifest.variants.map(({ id }) => id)).toEqual(variants);
  expect(manifest.variants.slice(0, 2).map(({ id }) => id)).toEqual(["fp32", "int8"]);
  for (const { backend, variant } of choices) {
    const holders = manifest.variants.filter(({ preferred }) => preferred?.includes(backend)).map(({ id }) => id);
    expect(holders).toEqual([variant]);
  }
  for (const { id, file } of manifest.variants) {
    const bytes = await readFile(join(directory, file.path));
    await verifyFile(bytes, file);
    expect(decodeModel(bytes).graph.outputs[0]!.name).toBe("logits");
    expect(manifest.probe!.tolerance[id]).toBeGreaterThan(0);
  }
  // Nothing lies there that the manifest does not name.
  const named = [...manifest.variants.map(({ file }) => file.path), "probe.bin", "manifest.json"];
  expect((await readdir(directory)).sort()).toEqual(named.sort());
});
