/** The teacher of a run as a bundle of its own, so that a page can show it beside its students. */
import { formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { exportModel } from "@distillate/export";
import { readCheckpoint } from "@distillate/train";
import { TOOL_VERSION } from "../version.ts";

const FILE = "teacher.fp32.onnx";

/** Exports the checkpoint in a directory; files by path, `manifest.json` among them. */
export async function teacherBundle(directory: string, id: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const { artifacts, info } = await readCheckpoint(directory);
  const { onnx, graph } = exportModel(artifacts, { name: id });
  const [height, width, channels] = info.inputShape;
  const manifest: Manifest = {
    format: "distillate-bundle",
    version: 1,
    id,
    semver: "1.0.0",
    task: "image-classification",
    inputs: [{ name: graph.inputs[0]!.name, dtype: "float32", shape: ["batch", channels, height, width] }],
    outputs: [{ name: graph.outputs[0]!.name, dtype: "float32", shape: ["batch", info.labels.length] }],
    preprocess: { ...info.preprocess, layout: "nchw" },
    postprocess: { kind: "softmax", topK: Math.min(5, info.labels.length) },
    labels: [...info.labels],
    variants: [
      {
        id: "fp32",
        file: { path: FILE, bytes: onnx.byteLength, sha256: await sha256Hex(onnx) },
        opset: graph.opset,
      },
    ],
    provenance: {
      tool: `distillate ${TOOL_VERSION}`,
      configHash: "",
      dataHash: info.dataHash,
      seed: info.seed,
      student: { model: id, parameters: info.parameters },
    },
  };
  return new Map([
    ["manifest.json", new TextEncoder().encode(formatManifest(manifest))],
    [FILE, onnx],
  ]);
}
