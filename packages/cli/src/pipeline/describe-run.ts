/** The stage evaluate: every network measured on the test part, put together as the report. */
import { join } from "node:path";
import { decodeModel, type ExportReport, type QuantizeReport, summarize } from "@distillate/export";
import {
  accuracyOf,
  compareToTeacher,
  finalOf,
  type Logits,
  measure,
  pairedDifference,
  readCheckpoint,
  rightOf,
} from "@distillate/train";
import { packRight } from "../report/right-bits.ts";
import { MODEL_NAMES, type ModelRow, meanAndDeviation, type RunReport, type SeedResult } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import type { PipelineContext } from "./context.ts";
import type { Exported } from "./export-stages.ts";
import { LAST_TEST_LOGITS, readLogits, TEST_LOGITS } from "./logits-file.ts";
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
  const read = (network: Trained, file: string): Promise<Logits> =>
    readLogits(join(network.directory, file), data.labels.length);
  const tests = new Map<Trained, Logits>();
  for (const network of trained) tests.set(network, await read(network, TEST_LOGITS));
  const right = (network: Trained): readonly boolean[] => rightOf(tests.get(network)!, labels);
  const teacherLogits = tests.get(finalOf(trained, "teacher")[0]!)!;
  const row = (id: ModelRow["id"], logits: Logits, over: Partial<ModelRow>): ModelRow => ({
    id,
    runtime: NODE_RUNTIME,
    ...measure(logits, labels),
    ...compareToTeacher(logits, teacherLogits),
    ...over,
  });
  const resultOf = async (network: Trained): Promise<SeedResult> => {
    const { seed, kind, directory } = network;
    const hits = right(network);
    const result = { seed, accuracy: accuracyOf(tests.get(network)!, labels), right: packRight(hits) };
    if (kind !== "train") return result;
    const epoch = (await readCheckpoint(directory)).info.history.length;
    return { ...result, last: { epoch, accuracy: accuracyOf(await read(network, LAST_TEST_LOGITS), labels) } };
  };
  const groupRow = async (members: readonly Trained[]): Promise<ModelRow> => {
    const shown = members.includes(student) ? student : members[0]!;
    const seeds = await Promise.all(members.map(resultOf));
    const { result } = shown.record;
    const id = idOf(shown, trained);
    return row(id, tests.get(shown)!, {
      runtime: RUNTIMES[shown.kind](engine.name),
      ...(shown.title !== MODEL_NAMES[id] && { name: shown.title }),
      ...(result.parameters !== undefined && { parameters: result.parameters }),
      bytes: result.bytes,
      seeds,
      ...meanAndDeviation(seeds.map(({ accuracy }) => accuracy)),
    });
  };
  // The same work in both: quantisation changes how wide a number is.
  const { macs } = summarize(decodeModel(fp32.onnx).graph);
  const groups = [...new Set(trained.map(({ group }) => group))];
  const models = [
    ...(await Promise.all(groups.map((group) => groupRow(trained.filter((network) => network.group === group))))),
    ...(["fp32", "int8"] as const).map((id) =>
      row(id, verified.logits[id], {
        bytes: { fp32, int8 }[id].onnx.byteLength,
        parameters: fp32.report.parameters,
        macs,
      }),
    ),
  ];
  const [students, baselines] = (["student", "baseline"] as const).map((role) => finalOf(trained, role).map(right));
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
        ...(shipped.tried && { tried: shipped.tried }),
      },
    }),
    shipped: student.id,
    models,
    gain: pairedDifference(students!, baselines!, config.seeds[0]!),
    curves: await Promise.all(
      trained
        .filter(({ kind }) => kind === "train")
        .map(async ({ role, title, seed, directory, record, cached }) => {
          const { history } = (await readCheckpoint(directory)).info;
          const { workers } = record.result;
          return { role, title, seed, history, seconds: record.seconds, ...(workers && { workers }), cached };
        }),
    ),
    export: fp32.report,
    quantization: int8.report,
    checks: verified.checks,
  };
}

/** What says the outputs of each kind of network. */
const RUNTIMES: { readonly [Kind in Trained["kind"]]: (engine: string) => string } = {
  train: (engine) => `tfjs ${engine}`,
  bring: () => "as brought",
  table: () => "as written down",
  mean: () => "mean of logits",
};

/** The row of a network: chains end in the rows that all reports have. */
function idOf({ group, role }: Trained, trained: readonly Trained[]): ModelRow["id"] {
  const isLast = finalOf(trained, role)[0]!.group === group;
  if (role === "assistant") return "guide";
  if (role === "teacher") return isLast ? "teacher" : "guide";
  return isLast ? role : "step";
}
