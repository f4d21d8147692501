/** The end of the run: a bundle of what passed its checks. */
import { basename } from "node:path";
import { encodeProbe, formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { type RunConfig, readCheckpoint, writeFileAtomic } from "@distillate/train";
import type { RunReport } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import { contentKey } from "./content-hash.ts";
import type { PipelineContext } from "./context.ts";
import type { Finished } from "./describe-run.ts";
import { VARIANT_FILES } from "./export-stages.ts";
import { imageFeeds } from "./onnx-logits.ts";

const PROBE_SAMPLES = 8;

/** Writes the bundle: manifest, model, probe. A variant that failed its check is not packed. */
export async function packBundle(
  { run, config, data, onEvent }: PipelineContext,
  { student, fp32, int8: quantized, verified }: Finished,
  report: RunReport,
): Promise<void> {
  const { int8, logits } = verified;
  if (!int8.ok) {
    const message = `int8 is not in the bundle: it loses ${int8.found} points, allowed ${int8.allowed}`;
    onEvent({ kind: "note", code: "variant-not-packed", message });
  }
  const failed = report.checks.filter((check) => !check.ok && check !== int8);
  if (failed.length > 0) {
    const message = `no bundle was packed: ${failed.map(({ name, found, allowed }) => `${name} is ${found}, allowed ${allowed}`).join("; ")}`;
    return onEvent({ kind: "note", code: "variant-not-packed", message });
  }
  const { info } = await readCheckpoint(student.directory);
  const samples = Math.min(PROBE_SAMPLES, data.test.count);
  const first = Uint32Array.from({ length: samples }, (_, i) => i);
  const [feeds] = imageFeeds(data.test, info.preprocess, "input", first);
  const { bytes } = feeds!.input!;
  const inputs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const [outputs, rounded] = [logits.fp32, logits.int8].map(({ values }) =>
    values.subarray(0, samples * data.labels.length),
  );
  const probe = encodeProbe({ samples, inputs, outputs: outputs! });
  // Integer kernels round at other places from build to build: a device may be off by as much again as int8 is here.
  const apart = outputs!.reduce((most, value, i) => Math.max(most, Math.abs(value - rounded![i]!)), 0);
  const tolerance = { fp32: config.tolerance.fp32, int8: 2 * apart + config.tolerance.fp32 };
  const [height, width, channels] = info.inputShape;
  const teacher = report.models.find(({ id }) => id === "teacher")!;
  const file = async (path: string, content: Uint8Array): Promise<{ path: string; bytes: number; sha256: string }> => {
    await writeFileAtomic(run.at("bundle", path), content);
    return { path, bytes: content.byteLength, sha256: await sha256Hex(content) };
  };
  const manifest: Manifest = {
    format: "distillate-bundle",
    version: 1,
    id: config.name,
    semver: "1.0.0",
    task: "image-classification",
    inputs: [{ name: "input", dtype: "float32", shape: ["batch", channels, height, width] }],
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch", data.labels.length] }],
    preprocess: { ...info.preprocess, layout: "nchw" },
    postprocess: { kind: "softmax", topK: Math.min(5, data.labels.length) },
    labels: [...data.labels],
    variants: await Promise.all(
      (["fp32", "int8"] as const)
        .filter((id) => id === "fp32" || int8.ok)
        .map(async (id) => {
          const { accuracy, agreement } = report.models.find((model) => model.id === id)!;
          return {
            id,
            file: await file(VARIANT_FILES[id], { fp32, int8: quantized }[id].onnx),
            opset: config.export.opset,
            accuracy,
            agreement,
          };
        }),
    ),
    probe: { file: await file("probe.bin", probe), samples, tolerance },
    provenance: {
      tool: `distillate ${TOOL_VERSION}`,
      configHash: contentKey(config),
      dataHash: data.hash,
      seed: student.seed,
      teacher: {
        model: nameOf(config.teacher),
        parameters: teacher.parameters ?? 0,
        accuracy: teacher.accuracy,
      },
      student: { model: config.student.model.name, parameters: info.parameters },
    },
  };
  await writeFileAtomic(run.at("bundle", "manifest.json"), formatManifest(manifest));
}

function nameOf(teacher: RunConfig["teacher"]): string {
  if ("mean" in teacher) return `mean of ${teacher.mean.length}`;
  if ("from" in teacher) return basename(teacher.from);
  return "logits" in teacher ? basename(teacher.logits.train) : teacher.model.name;
}
