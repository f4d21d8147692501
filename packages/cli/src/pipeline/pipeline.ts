/**
 * The pipeline, top to bottom: data, teacher with baselines, students, quantisation-aware fine-tuning, export, quantize, verify, evaluate, report. Every stage
 * is skipped while its key is there; a run that was cut off goes on where it stood. `until` stops after a stage: the single
 * commands are this same run, cut short.
 */
import type { ExportReport, QuantizeReport } from "@distillate/export";
import {
  checkDistillation,
  type EngineName,
  finalOf,
  type NetworkPlan,
  type RunConfig,
  selectEngine,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { htmlReport } from "../report/html.ts";
import { markdownReport } from "../report/markdown.ts";
import type { Check, RunReport } from "../report/run-report.ts";
import type { PipelineContext } from "./context.ts";
import { describeRun } from "./describe-run.ts";
import { type Exported, exportStudent, quantizeStudent } from "./export-stages.ts";
import { loadData } from "./load-data.ts";
import { packBundle } from "./pack-bundle.ts";
import { makeQuantizeAware } from "./quantize-aware-stage.ts";
import { openRunDirectory, recordingTo } from "./run-directory.ts";
import { type Trained, trainNetworks } from "./train-stages.ts";
import { verifyStudent } from "./verify-stage.ts";

/** Where a run may stop, in order; `report` is the whole of it. */
export const TARGETS = ["train", "distill", "export", "quantize", "verify", "evaluate", "report"] as const;
/** One of {@link TARGETS}. */
export type Target = (typeof TARGETS)[number];

/** What a run needs. */
export interface PipelineOptions {
  readonly config: RunConfig;
  /** The run directory. */
  readonly out: string;
  readonly engine: EngineName | "auto";
  /** See {@link PipelineContext.workers}. */
  readonly workers?: number;
  readonly until: Target;
  /** Where the files of networks are that this run shares with others. */
  readonly directoryOf?: (plan: Pick<NetworkPlan, "id" | "role">) => string | undefined;
  readonly onEvent: (event: PipelineEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly clock: () => number;
}

/** What a run made, as far as it went. */
export interface PipelineResult {
  readonly trained: readonly Trained[];
  readonly fp32?: Exported<ExportReport>;
  readonly int8?: Exported<QuantizeReport>;
  readonly checks?: readonly Check[];
  readonly report?: RunReport;
}

/** Runs the pipeline and returns what it made. */
export async function runPipeline(options: PipelineOptions): Promise<PipelineResult> {
  const { config, until, workers, clock, signal } = options;
  const stopsAt = (target: Target): boolean => TARGETS.indexOf(until) <= TARGETS.indexOf(target);
  const run = await openRunDirectory(options.out, config);
  const onEvent = recordingTo(run, options.onEvent);
  try {
    const started = clock();
    const data = await loadData(config, onEvent);
    for (const note of data.notes) onEvent({ kind: "note", ...note });
    const engine = await selectEngine({ engine: options.engine });
    checkDistillation(config, { shape: data.train.shape, classes: data.labels.length });
    const directoryOf: PipelineContext["directoryOf"] = (plan) => options.directoryOf?.(plan) ?? run.at(plan.id);
    const shared = { run, config, directoryOf, engine, data, onEvent, signal, clock };
    const context: PipelineContext = { ...shared, ...(workers !== undefined && { workers }) };

    const trained = await trainNetworks(context, until === "train" ? ["teacher", "baseline"] : undefined);
    if (stopsAt("distill")) return { trained };
    const student = chooseStudent(trained);
    const shipped = await makeQuantizeAware(context, student, trained);
    const fp32 = await exportStudent(context, shipped.network);
    if (stopsAt("export")) return { trained, fp32 };
    const int8 = await quantizeStudent(context, shipped, fp32);
    if (stopsAt("quantize")) return { trained, fp32, int8 };
    const verified = await verifyStudent(context, shipped.network, { fp32, int8 });
    if (stopsAt("verify")) return { trained, fp32, int8, checks: verified.checks };

    const finished = { trained, student, shipped, fp32, int8, verified };
    const report = await describeRun(context, finished, (clock() - started) / 1000);
    if (!stopsAt("evaluate")) await packBundle(context, finished, report);
    await writeFileAtomic(run.at("report.json"), `${JSON.stringify(report, null, 2)}\n`);
    await writeFileAtomic(run.at("report.md"), markdownReport(report));
    await writeFileAtomic(run.at("report.html"), htmlReport(report));
    return { trained, fp32, int8, checks: verified.checks, report };
  } finally {
    run.close();
  }
}

/** The student to ship: of those that the chain ends with the best on the validation part; the test part has no say. */
function chooseStudent(trained: readonly Trained[]): Trained {
  const students = finalOf(trained, "student");
  return students.reduce((best, next) =>
    next.record.result.validationAccuracy > best.record.result.validationAccuracy ? next : best,
  );
}
