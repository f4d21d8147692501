/**
 * A bundle tuned to where it runs: variants with stored weights are made of its fp32 file, all are measured in turns on every
 * backend that is here, and the manifest says which backend shall run which. Variants that no backend wants are not kept.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { formatReport } from "@distillate/bench/node";
import { decodeProbe, formatManifest, type Manifest, sha256Hex, type Variant } from "@distillate/bundle";
import { compact, decodeModel, encodeModel, quantize } from "@distillate/export";
import { writeFileAtomic } from "@distillate/train";
import { openBundle } from "../commands/model-files.ts";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { inputsOfBundle } from "./bench-inputs.ts";
import { type Measured, measureVariants, type TuneOptions } from "./measure-variants.ts";

/** Made from the float file alone, where the bundle has them not. */
const STORED = ["int8-weights", "fp16"] as const;
const SAMPLES = 1000;

/** What came of it. */
export interface Tuned extends Measured {
  /** Variants of the bundle now. */
  readonly variants: readonly string[];
}

/** Measures and rewrites a bundle; the measurement is `tune.json` beside it. */
export async function tuneBundle(path: string, options: TuneOptions): Promise<Tuned> {
  const bundle = await openBundle(path);
  const { manifest, files } = bundle;
  const made = await storedVariants(manifest, files);
  for (const { variant, onnx } of made) await writeFileAtomic(join(path, variant.file.path), onnx);
  const variants = [...manifest.variants, ...made.map(({ variant }) => variant)];
  const inputs = await inputsOfBundle(path, bundle, { samples: SAMPLES });
  const measured = variants.map(({ id, file }) => ({ model: id, path: join(path, file.path) }));
  const subject = `${manifest.id} ${manifest.semver}`;
  const { choices, report } = await measureVariants(subject, measured, inputs, options);

  const preferredBy = (id: string): Variant["preferred"] =>
    choices.filter(({ variant }) => variant === id).map(({ backend }) => backend);
  const isWanted = ({ id }: Variant): boolean =>
    manifest.variants.some((variant) => variant.id === id) || preferredBy(id)!.length > 0;
  const kept = variants.filter(isWanted).map((variant) => ({ ...variant, preferred: preferredBy(variant.id) }));
  for (const { variant } of made) if (!isWanted(variant)) await rm(join(path, variant.file.path), { force: true });
  const probe = manifest.probe && { ...manifest.probe, tolerance: { ...manifest.probe.tolerance } };
  for (const { variant, tolerance } of made)
    if (probe && tolerance !== undefined && isWanted(variant)) probe.tolerance[variant.id] = tolerance;
  await writeFileAtomic(
    join(path, "manifest.json"),
    formatManifest({ ...manifest, variants: kept, ...(probe && { probe }) }),
  );
  await writeFileAtomic(join(path, "..", "tune.json"), formatReport(report));
  return { choices, report, variants: kept.map(({ id }) => id) };
}

interface MadeVariant {
  readonly variant: Variant;
  readonly onnx: Uint8Array;
  /** Of the probe's outputs, where there is a probe. */
  readonly tolerance: number | undefined;
}

async function storedVariants(
  manifest: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<readonly MadeVariant[]> {
  const float = manifest.variants.find(({ id }) => id === "fp32");
  if (float === undefined) return [];
  const { graph, metadata } = decodeModel(files.get(float.file.path)!);
  const made: MadeVariant[] = [];
  for (const id of STORED) {
    if (manifest.variants.some((variant) => variant.id === id)) continue;
    const calibration = { run: nodeRunner, samples: () => [] };
    const onnx = encodeModel(compact((await quantize(graph, { preset: id }, calibration)).graph), metadata);
    const path = float.file.path.replace(/(\.fp32)?\.onnx$/, `.${id}.onnx`);
    const file = { path, bytes: onnx.byteLength, sha256: await sha256Hex(onnx) };
    made.push({ variant: { id, file, opset: float.opset }, onnx, tolerance: await toleranceOf(onnx, manifest, files) });
  }
  return made;
}

/** As packed variants have it: as much again as the file is off here, for builds that round elsewhere. */
async function toleranceOf(
  onnx: Uint8Array,
  { probe: described, inputs: [input] }: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<number | undefined> {
  if (described === undefined) return undefined;
  const probe = decodeProbe(files.get(described.file.path)!);
  const { buffer, byteOffset, byteLength } = probe.inputs;
  const shape = [probe.samples, ...input!.shape.slice(1).map(Number)];
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const model = await nodeRunner(onnx);
  try {
    const [output] = Object.values(await model.run({ [input!.name]: { dtype: "float32", shape, bytes } }));
    const found = new Float32Array(output!.bytes.slice().buffer);
    const apart = found.reduce((most, value, i) => Math.max(most, Math.abs(value - probe.outputs[i]!)), 0);
    return 2 * apart + (described.tolerance.fp32 ?? 0);
  } finally {
    await model.dispose();
  }
}
