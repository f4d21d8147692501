/**
 * A bundle tuned to where it runs: variants with stored weights are made of its fp32 file, all are measured in turns on every
 * backend that is here, and the manifest says which backend shall run which. Variants that no backend wants are not kept.
 */
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type NamedRule, STOP_RULES } from "@distillate/bench";
import { type BenchEvent, type BenchReport, findChromium, formatReport, runBench } from "@distillate/bench/node";
import { decodeProbe, formatManifest, type Manifest, sha256Hex, type Variant } from "@distillate/bundle";
import { compact, decodeModel, encodeModel, quantize } from "@distillate/export";
import { writeFileAtomic } from "@distillate/train";
import { openBundle } from "../commands/model-files.ts";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { TOOL_VERSION } from "../version.ts";
import { inputsOfBundle } from "./bench-inputs.ts";
import { targetsOf } from "./bench-targets.ts";
import { type Choice, chooseVariants } from "./choose-variants.ts";

/** Made from the float file alone, where the bundle has them not. */
const STORED = ["int8-weights", "fp16"] as const;
const SAMPLES = 1000;

/** How a bundle is tuned. */
export interface TuneOptions {
  /** Points of accuracy that a variant may lose to be chosen. */
  readonly allowedDrop: number;
  readonly seed: number;
  readonly rule?: NamedRule;
  /** Where to measure, as `bench --targets` has it; all that is here without. */
  readonly targets?: string;
  /** Flags of Node for the processes that are measured; this process's own without them. */
  readonly execArgv?: readonly string[];
  readonly signal: AbortSignal;
  readonly onEvent: (event: BenchEvent) => void;
}

/** What came of it. */
export interface Tuned {
  readonly choices: readonly Choice[];
  readonly report: BenchReport;
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
  const { inputs, labels, source, note } = await inputsOfBundle(path, bundle, { samples: SAMPLES });
  const places = options.targets ?? (findChromium() === undefined ? "node,wasm" : "node,chromium,webgpu");
  const measured = variants.map(({ id, file }) => ({ model: id, path: resolve(path, file.path) }));
  const targets = targetsOf(measured, [], { targets: places, threads: "1" });
  const report = await runBench({
    subject: `${manifest.id} ${manifest.semver}`,
    tool: `distillate ${TOOL_VERSION}`,
    targets,
    inputs,
    inputSource: source,
    labels,
    reference: targets.find(({ model }) => model === "fp32")?.id,
    rule: options.rule ?? STOP_RULES.rapid,
    seed: options.seed,
    scenarios: [],
    framesPerSecond: 30,
    sustainedSeconds: 0,
    softwareWebgpu: false,
    webgpuOnHardwareOnly: true,
    notes: note === undefined ? [] : [{ code: "inputs", message: note }],
    signal: options.signal,
    ...(options.execArgv && { execArgv: options.execArgv }),
    now: () => new Date(),
    onEvent: options.onEvent,
    onReport: async () => undefined,
  });
  const choices = chooseVariants(report.targets, options);

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
