/**
 * The pipeline, top to bottom: data, teacher with baselines, students, export, verify, evaluate, bundle, report. Every stage is
 * skipped while its key is there; a run that was cut off goes on where it stood.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeProbe, formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { type Decision, type ExportReport, encodeModel, exportModel, quantizeStatic } from "@distillate/export";
import {
  compareToTeacher,
  type EngineName,
  type Logits,
  measure,
  type RunConfig,
  readCheckpoint,
  selectEngine,
  splitTrainValidation,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { htmlReport } from "../report/html.ts";
import { markdownReport } from "../report/markdown.ts";
import { type Check, type ModelRow, meanAndDeviation, type RunReport } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import { contentKey } from "./content-hash.ts";
import { loadData } from "./load-data.ts";
import { NODE_RUNTIME, nodeRunner } from "./node-runner.ts";
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

/** The files of the bundle, by variant. */
const FILES = { fp32: "student.fp32.onnx", int8: "student.int8.onnx" } as const;
type VariantId = keyof typeof FILES;
const VARIANTS: readonly VariantId[] = ["fp32", "int8"];

/** What the export stage made. */
interface ExportedStudent {
  readonly files: { readonly [Id in VariantId]: Uint8Array };
  readonly result: ExportResult;
}

interface ExportResult {
  readonly report: ExportReport;
  readonly decisions: readonly Decision[];
}

const PROBE_SAMPLES = 8;
const INT8_CHECK = "points of accuracy that int8 loses against fp32";

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
    const logits = await runExported(context, student, exported);
    const report = await describeRun(context, trained, student, exported, logits, (clock() - started) / 1000);
    await packBundle(context, student, exported, logits.fp32, report);
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

/** Both files of the student: fp32, and int8 with ranges measured on training images. */
async function exportStudent(context: PipelineContext, student: Trained): Promise<ExportedStudent> {
  const { run, config, data, onEvent, clock } = context;
  const directory = run.at("export");
  const inputs = {
    tool: TOOL_VERSION,
    weights: outputHash(student.record, "weights.bin"),
    data: data.hash,
    export: config.export,
    quantize: config.quantize,
    name: config.name,
  };
  const { record, cached } = await runStage<ExportResult>(
    {
      name: "export",
      directory,
      inputs,
      run: async () => {
        const { artifacts, info } = await readCheckpoint(student.directory);
        const metadata = {
          producer: "distillate",
          producerVersion: TOOL_VERSION,
          properties: {
            labels: JSON.stringify(info.labels),
            preprocess: JSON.stringify({ ...info.preprocess, layout: "nchw" }),
          },
        };
        const { graph, onnx, report } = exportModel(artifacts, {
          name: config.name,
          opset: config.export.opset,
          metadata,
        });
        const split = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
        const chosen = split.train.subarray(0, config.quantize.samples);
        const samples = imageFeeds(data.train, info.preprocess, "input", chosen);
        const quantized = await quantizeStatic(graph, { run: nodeRunner, samples });
        await writeFileAtomic(join(directory, FILES.fp32), onnx);
        await writeFileAtomic(join(directory, FILES.int8), encodeModel(quantized.graph, metadata));
        return { result: { report, decisions: quantized.decisions }, files: Object.values(FILES) };
      },
    },
    clock,
  );
  announce(onEvent, "export", record.seconds, cached);
  const [fp32, int8] = await Promise.all([
    readFile(join(directory, FILES.fp32)),
    readFile(join(directory, FILES.int8)),
  ]);
  return { files: { fp32, int8 }, result: record.result };
}

/** The exported files on the test part, in onnxruntime. */
async function runExported(
  { run, data, onEvent, clock }: PipelineContext,
  student: Trained,
  { files }: ExportedStudent,
): Promise<{ readonly [Id in VariantId]: Logits }> {
  const directory = run.at("verify");
  const inputs = {
    tool: TOOL_VERSION,
    fp32: await sha256Hex(files.fp32),
    int8: await sha256Hex(files.int8),
    data: data.hash,
  };
  const { record, cached } = await runStage<null>(
    {
      name: "verify",
      directory,
      inputs,
      run: async () => {
        const { info } = await readCheckpoint(student.directory);
        for (const id of VARIANTS) {
          const { values } = await onnxLogits(files[id], data.test, info.preprocess, data.labels.length);
          await writeFileAtomic(join(directory, `${id}-${TEST_LOGITS}`), new Uint8Array(values.buffer));
        }
        return { result: null, files: VARIANTS.map((id) => `${id}-${TEST_LOGITS}`) };
      },
    },
    clock,
  );
  announce(onEvent, "verify", record.seconds, cached);
  const read = (id: VariantId): Promise<Logits> =>
    readLogits(join(directory, `${id}-${TEST_LOGITS}`), data.labels.length);
  return { fp32: await read("fp32"), int8: await read("int8") };
}

function announce(onEvent: (event: PipelineEvent) => void, stage: string, seconds: number, cached: boolean): void {
  onEvent(cached ? { kind: "stage-cached", stage } : { kind: "stage-done", stage, seconds });
}

/** Measures every network on the test part and puts the report together. */
async function describeRun(
  { config, engine, data }: PipelineContext,
  trained: readonly Trained[],
  student: Trained,
  exported: ExportedStudent,
  onnx: { readonly [Id in VariantId]: Logits },
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
    ...VARIANTS.map((id) =>
      row(id, onnx[id], {
        runtime: NODE_RUNTIME,
        bytes: exported.files[id].byteLength,
        parameters: exported.result.report.parameters,
      }),
    ),
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
    export: exported.result.report,
    quantization: exported.result.decisions,
    checks: checksOf(config, tests.get(student)!, onnx.fp32, exported.result.report, models),
  };
}

function checksOf(
  config: RunConfig,
  tfjs: Logits,
  fp32: Logits,
  report: ExportReport,
  models: readonly ModelRow[],
): readonly Check[] {
  const accuracy = (id: VariantId): number => models.find((model) => model.id === id)!.accuracy;
  const drop = 100 * (accuracy("fp32") - accuracy("int8"));
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
    {
      name: INT8_CHECK,
      found: Number(drop.toFixed(4)),
      allowed: config.tolerance.int8Drop,
      ok: drop <= config.tolerance.int8Drop,
    },
  ];
}

/** Writes the bundle: manifest, model, probe. A variant that failed its check is not packed. */
async function packBundle(
  { run, config, data, onEvent }: PipelineContext,
  student: Trained,
  { files }: ExportedStudent,
  logits: Logits,
  report: RunReport,
): Promise<void> {
  const int8 = report.checks.find(({ name }) => name === INT8_CHECK)!;
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
  const probe = encodeProbe({ samples, inputs, outputs: logits.values.subarray(0, samples * logits.classes) });
  const [height, width, channels] = info.inputShape;
  const teacher = report.models[0]!;
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
      VARIANTS.filter((id) => id === "fp32" || int8.ok).map(async (id) => {
        const { accuracy, agreement } = report.models.find((model) => model.id === id)!;
        return { id, file: await file(FILES[id], files[id]), opset: config.export.opset, accuracy, agreement };
      }),
    ),
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
