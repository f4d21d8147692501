/**
 * The pipeline, top to bottom: data, teacher with baselines, students, export, verify, evaluate, bundle, report. Every stage is
 * skipped while its key is there; a run that was cut off goes on where it stood.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeProbe, formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { type ExportReport, exportModel } from "@distillate/export";
import {
  compareToTeacher,
  type EngineName,
  type Logits,
  measure,
  type RunConfig,
  readCheckpoint,
  selectEngine,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { htmlReport } from "../report/html.ts";
import { markdownReport } from "../report/markdown.ts";
import { type Check, type ModelRow, meanAndDeviation, type RunReport } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import { contentKey } from "./content-hash.ts";
import { loadData } from "./load-data.ts";
import { NODE_RUNTIME } from "./node-runner.ts";
import { imageFeeds, onnxLogits } from "./onnx-logits.ts";
import { openRunDirectory } from "./run-directory.ts";
import { outputHash, runStage } from "./stage.ts";
import { type PipelineContext, type Trained, trainNetworks } from "./train-stages.ts";
import { TEST_LOGITS } from "./training-task.ts";

/** What a run needs. */
export interface PipelineOptions {
  readonly config: RunConfig;
  /** The run directory. */
  readonly out: string;
  readonly engine: EngineName | "auto";
  readonly onEvent: (event: PipelineEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly clock: () => number;
}

const FP32_FILE = "student.fp32.onnx";
const PROBE_SAMPLES = 8;

/** Runs the whole pipeline and returns the report that it wrote. */
export async function runPipeline(options: PipelineOptions): Promise<RunReport> {
  const { config, clock } = options;
  const run = await openRunDirectory(options.out, config);
  const onEvent = (event: PipelineEvent): void => {
    if (event.kind !== "step") run.record(event);
    options.onEvent(event);
  };
  try {
    const started = clock();
    const data = await loadData(config);
    for (const note of data.notes) onEvent({ kind: "note", ...note });
    const engine = await selectEngine({ engine: options.engine });
    const context: PipelineContext = { run, config, engine, data, onEvent, signal: options.signal, clock };

    const trained = await trainNetworks(context);
    const student = chooseStudent(trained);
    const exported = await exportStudent(context, student);
    const logits = await runExported(context, student, exported.onnx);
    const report = await describeRun(context, trained, student, exported, logits, (clock() - started) / 1000);
    await packBundle(context, student, exported.onnx, logits, report);
    await writeFileAtomic(run.at("report.json"), `${JSON.stringify(report, null, 2)}\n`);
    await writeFileAtomic(run.at("report.md"), markdownReport(report));
    await writeFileAtomic(run.at("report.html"), htmlReport(report));
    return report;
  } finally {
    run.close();
  }
}

/** The student to ship: the best on the validation part; the test part has no say. */
function chooseStudent(trained: readonly Trained[]): Trained {
  const students = trained.filter(({ role }) => role === "student");
  return students.reduce((best, next) =>
    next.record.result.validationAccuracy > best.record.result.validationAccuracy ? next : best,
  );
}

async function exportStudent(
  { run, config, onEvent, clock }: PipelineContext,
  student: Trained,
): Promise<{ readonly onnx: Uint8Array; readonly sha256: string; readonly report: ExportReport }> {
  const directory = run.at("export");
  const inputs = {
    tool: TOOL_VERSION,
    weights: outputHash(student.record, "weights.bin"),
    export: config.export,
    name: config.name,
  };
  const { record, cached } = await runStage<ExportReport>(
    {
      name: "export",
      directory,
      inputs,
      run: async () => {
        const { artifacts, info } = await readCheckpoint(student.directory);
        const { onnx, report } = exportModel(artifacts, {
          name: config.name,
          opset: config.export.opset,
          metadata: {
            producer: "distillate",
            producerVersion: TOOL_VERSION,
            properties: {
              labels: JSON.stringify(info.labels),
              preprocess: JSON.stringify({ ...info.preprocess, layout: "nchw" }),
            },
          },
        });
        await writeFileAtomic(join(directory, FP32_FILE), onnx);
        return { result: report, files: [FP32_FILE] };
      },
    },
    clock,
  );
  onEvent(
    cached
      ? { kind: "stage-cached", stage: "export" }
      : { kind: "stage-done", stage: "export", seconds: record.seconds },
  );
  return {
    onnx: await readFile(join(directory, FP32_FILE)),
    sha256: outputHash(record, FP32_FILE),
    report: record.result,
  };
}

/** The exported student on the test part, in onnxruntime. */
async function runExported(
  { run, data, onEvent, clock }: PipelineContext,
  student: Trained,
  onnx: Uint8Array,
): Promise<Logits> {
  const directory = run.at("verify");
  const inputs = { tool: TOOL_VERSION, onnx: await sha256Hex(onnx), data: data.hash };
  const { record, cached } = await runStage<null>(
    {
      name: "verify",
      directory,
      inputs,
      run: async () => {
        const { info } = await readCheckpoint(student.directory);
        const { values } = await onnxLogits(onnx, data.test, info.preprocess, data.labels.length);
        await writeFileAtomic(join(directory, TEST_LOGITS), new Uint8Array(values.buffer));
        return { result: null, files: [TEST_LOGITS] };
      },
    },
    clock,
  );
  onEvent(
    cached
      ? { kind: "stage-cached", stage: "verify" }
      : { kind: "stage-done", stage: "verify", seconds: record.seconds },
  );
  return readLogits(join(directory, TEST_LOGITS), data.labels.length);
}

/** Measures every network on the test part and puts the report together. */
async function describeRun(
  { config, engine, data }: PipelineContext,
  trained: readonly Trained[],
  student: Trained,
  exported: { readonly onnx: Uint8Array; readonly report: ExportReport },
  fp32: Logits,
  seconds: number,
): Promise<RunReport> {
  const labels = data.test.classes;
  const tests = new Map<Trained, Logits>();
  for (const network of trained)
    tests.set(network, await readLogits(join(network.directory, TEST_LOGITS), data.labels.length));
  const teacherLogits = tests.get(trained[0]!)!;
  const runtime = `tfjs ${engine.name}`;
  const row = (id: ModelRow["id"], logits: Logits, over: Partial<ModelRow>): ModelRow => ({
    id,
    runtime,
    ...measure(logits, labels),
    ...compareToTeacher(logits, teacherLogits),
    ...over,
  });
  const group = (role: Trained["role"]): ModelRow => {
    const members = trained.filter((network) => network.role === role);
    const shown = role === "student" ? student : members[0]!;
    const accuracies = members.map((network) => measure(tests.get(network)!, labels).accuracy);
    const { result } = shown.record;
    return row(role, tests.get(shown)!, {
      parameters: result.parameters,
      bytes: shown.record.outputs.find(({ path }) => path === "weights.bin")!.bytes,
      seeds: members.map(({ seed }, i) => ({ seed, accuracy: accuracies[i]! })),
      ...meanAndDeviation(accuracies),
    });
  };
  const models = [
    group("teacher"),
    group("baseline"),
    group("student"),
    row("fp32", fp32, {
      runtime: NODE_RUNTIME,
      bytes: exported.onnx.byteLength,
      parameters: exported.report.parameters,
    }),
  ];
  return {
    format: "distillate-report",
    version: 1,
    name: config.name,
    tool: TOOL_VERSION,
    node: process.version,
    engine,
    seconds,
    data: {
      name: data.name,
      labels: data.labels,
      train: data.train.count,
      test: data.test.count,
      hash: data.hash,
      notes: data.notes,
    },
    config,
    shippedSeed: student.seed,
    models,
    curves: await Promise.all(
      trained.map(async ({ role, seed, directory, record, cached }) => {
        const { history } = (await readCheckpoint(directory)).info;
        return { role, seed, history, seconds: record.seconds, cached };
      }),
    ),
    export: exported.report,
    checks: checksOf(config, tests.get(student)!, fp32, exported.report),
  };
}

function checksOf(config: RunConfig, tfjs: Logits, fp32: Logits, report: ExportReport): readonly Check[] {
  const difference = fp32.values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - tfjs.values[i]!)), 0);
  const samples = fp32.values.length / fp32.classes;
  const transposes = report.ops.Transpose ?? 0;
  return [
    {
      name: `largest difference of a logit between tfjs and ${NODE_RUNTIME} over ${samples} test samples`,
      found: difference,
      allowed: config.tolerance.fp32,
      ok: difference <= config.tolerance.fp32,
    },
    { name: "Transpose nodes in the exported graph", found: transposes, allowed: 0, ok: transposes === 0 },
  ];
}

/** Writes the bundle: manifest, model, probe. A variant that failed its check is not packed. */
async function packBundle(
  { run, config, data, onEvent }: PipelineContext,
  student: Trained,
  onnx: Uint8Array,
  logits: Logits,
  report: RunReport,
): Promise<void> {
  const failed = report.checks.filter(({ ok }) => !ok);
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
  const probe = encodeProbe({ samples, inputs, outputs: logits.values.subarray(0, samples * logits.classes) });
  const [height, width, channels] = info.inputShape;
  const teacher = report.models[0]!;
  const fp32 = report.models.find(({ id }) => id === "fp32")!;
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
    variants: [
      {
        id: "fp32",
        file: await file(FP32_FILE, onnx),
        opset: config.export.opset,
        accuracy: fp32.accuracy,
        agreement: fp32.agreement,
      },
    ],
    probe: { file: await file("probe.bin", probe), samples, tolerance: { fp32: config.tolerance.fp32 } },
    provenance: {
      tool: `distillate ${TOOL_VERSION}`,
      configHash: contentKey(config),
      dataHash: data.hash,
      seed: student.seed,
      teacher: { model: config.teacher.model.name, parameters: teacher.parameters ?? 0, accuracy: teacher.accuracy },
      student: { model: config.student.model.name, parameters: info.parameters },
    },
  };
  await writeFileAtomic(run.at("bundle", "manifest.json"), formatManifest(manifest));
}

async function readLogits(path: string, classes: number): Promise<Logits> {
  const bytes = await readFile(path);
  return {
    classes,
    values: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)),
  };
}
