import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openModels } from "./open-models.ts";

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "served-"));
  const onnx = new TextEncoder().encode("weights");
  const manifest: Manifest = {
    format: "distillate-bundle",
    version: 1,
    id: "digits",
    semver: "1.0.0",
    task: "image-classification",
    inputs: [{ name: "image", dtype: "float32", shape: ["batch", 1, 8, 8] }],
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 2] }],
    preprocess: {
      kind: "image",
      width: 8,
      height: 8,
      channels: 1,
      fit: "stretch",
      scale: 1 / 255,
      mean: [0],
      std: [1],
      layout: "nchw",
    },
    postprocess: { kind: "softmax", topK: 2 },
    labels: ["a", "b"],
    variants: [{ id: "fp32", file: { path: "a.onnx", bytes: onnx.length, sha256: await sha256Hex(onnx) }, opset: 17 }],
    provenance: {
      tool: "distillate 0",
      configHash: "",
      dataHash: "",
      seed: 1,
      student: { model: "digits", parameters: 1 },
    },
  };
  await mkdir(join(run, "bundle"));
  await mkdir(join(run, "teacher"));
  await writeFile(join(run, "bundle/manifest.json"), formatManifest(manifest));
  await writeFile(join(run, "bundle/a.onnx"), onnx);
});
afterEach(() => rm(run, { recursive: true }));

test("a teacher that was not trained in the run is left out, which is said", async () => {
  await writeFile(join(run, "teacher/teacher.json"), "{}");
  for (const path of [run, join(run, "bundle")]) {
    const notes: string[] = [];
    const opened = await openModels([path], (message) => notes.push(message));
    expect(opened.map(({ title }) => title)).toEqual(["digits"]);
    expect(notes).toEqual([expect.stringContaining(`the teacher of ${basename(run)} is not shown`)]);
  }
});

test("what is no bundle is refused", async () => {
  await expect(openModels([join(run, "teacher")], () => {})).rejects.toMatchObject({ code: "bundle-missing" });
});
