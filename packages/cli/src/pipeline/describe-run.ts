/** The stage evaluate: every network measured on the test part, put together as the report. */
import { join } from "node:path";
import type { ExportReport, QuantizeReport } from "@distillate/export";
import { compareToTeacher, type Logits, measure, pairedDifference, readCheckpoint } from "@distillate/train";
import { type ModelRow, meanAndDeviation, type RunReport } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import type { PipelineContext } from "./context.ts";
import type { Exported } from "./export-stages.ts";
import { readLogits, TEST_LOGITS } from "./logits-file.ts";
import { NODE_RUNTIME } from "./node-runner.ts";
import type { Shipped } from "./quantize-aware-stage.ts";
import type { Trained } from "./train-stages.ts";
import type { Verified } from "./verify-stage.ts";

/** What the stages before have made. */
export interface Finished {
  readonly trained: readonly Trained[];
  /** The one that is shipped. */
  readonly student: Trained;
  /** The same, or what fine-tuning made of it. */
  readonly shipped: Shipped;
  readonly fp32: Exported<ExportReport>;
  readonly int8: Exported<QuantizeReport>;
  readonly verified: Verified;
}

/** Measures every network on the test part and puts the report together. */
export async function describeRun(
  { config, engine, data }: PipelineContext,
  { trained, student, shipped, fp32, int8, verified }: Finished,
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
      ...(result.parameters !== undefined && { parameters: result.parameters }),
      bytes: result.bytes,
      ...(result.epoch === 0 && { runtime: "as brought" }),
      seeds: members.map(({ seed }, i) => ({ seed, accuracy: accuracies[i]! })),
      ...meanAndDeviation(accuracies),
    });
  };
  const logitsOf = (role: Trained["role"]): readonly Logits[] =>
    trained.filter((network) => network.role === role).map((network) => tests.get(network)!);
  const models = [
    group("teacher"),
    group("baseline"),
    group("student"),
    ...(["fp32", "int8"] as const).map((id) =>
      row(id, verified.logits[id], {
        runtime: NODE_RUNTIME,
        bytes: { fp32, int8 }[id].onnx.byteLength,
        parameters: fp32.report.parameters,
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
    ...(shipped.ranges && {
      quantizeAware: {
        epoch: shipped.network.record.result.epoch,
        validationAccuracy: shipped.network.record.result.validationAccuracy,
        before: student.record.result.validationAccuracy,
        ranges: shipped.ranges.length,
      },
    }),
    models,
    gain: pairedDifference(logitsOf("student"), logitsOf("baseline"), labels, config.seeds[0]!),
    curves: await Promise.all(
      trained
        .filter(({ record }) => record.result.epoch > 0)
        .map(async ({ role, seed, directory, record, cached }) => {
          const { history } = (await readCheckpoint(directory)).info;
          return { role, seed, history, seconds: record.seconds, cached };
        }),
    ),
    export: fp32.report,
    quantization: int8.report,
    checks: verified.checks,
  };
}
