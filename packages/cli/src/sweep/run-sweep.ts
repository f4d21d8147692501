/**
 * A search, top to bottom: the teachers once, the rounds of successive halving, then a whole run of every candidate that is left,
 * their files' latency in turns, and the table and fronts of those. Every training is a stage: a search that was cut off goes on where it stood.
 *
 *   runs/NAME/teacher, assistant-*      shared by all
 *   runs/NAME/sweep/round-K/CANDIDATE   one short training
 *   runs/NAME/sweep/runs/CANDIDATE      a run like any other, its baseline shared by those of its size
 */
import {
  checkDistillation,
  type NetworkPlan,
  planNetworks,
  type RunConfig,
  selectEngine,
  type TrainPlan,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineContext } from "../pipeline/context.ts";
import { loadData } from "../pipeline/load-data.ts";
import { type PipelineOptions, runPipeline } from "../pipeline/pipeline.ts";
import { openRunDirectory, recordingTo } from "../pipeline/run-directory.ts";
import { type Job, runJobs } from "../pipeline/schedule-jobs.ts";
import { makeNetwork, type Networks, type Trained, trainNetworks } from "../pipeline/train-stages.ts";
import { trainingSlots } from "../pipeline/training-slots.ts";
import { type MergedReport, type MergedRow, mergeReports, type NamedReport } from "../report/merged-report.ts";
import { frontPoints } from "../report/merged-text.ts";
import { costsOf, drawFront, svgFile } from "../report/plots.ts";
import type { SweepReport, SweptCandidate } from "../report/sweep-report.ts";
import { sweepMarkdown, sweepPage } from "../report/sweep-text.ts";
import { TOOL_VERSION } from "../version.ts";
import { type Axes, type Candidate, candidatesOf } from "./axes.ts";
import { betterHalf, planRounds, type Round } from "./halving.ts";
import { type Latency, measureLatency } from "./measure-latency.ts";

/** What a search needs. */
export interface SweepOptions extends Omit<PipelineOptions, "until" | "directoryOf"> {
  readonly axes: Axes;
  /** In whole trainings of one student. */
  readonly budget?: number;
  /** Runs every candidate to its end, without rounds: a comparison instead of a search. */
  readonly every: boolean;
}

/** Runs a search and returns what it found; it is written as `sweep.json`, `.md` and `.html`, its fronts as SVG. */
export async function runSweep(options: SweepOptions): Promise<SweepReport> {
  const { axes, budget, every, out } = options;
  const config = withOwnDistill(options.config);
  const candidates = candidatesOf(config, axes);
  const sizes = [...new Set(candidates.map(({ size }) => size))];
  const counts = sizes.map((size) => candidates.filter((candidate) => candidate.size === size).length);
  const rounds = every ? [] : planRounds(counts, config.student.training.epochs, budget);

  const run = await openRunDirectory(out, config);
  const onEvent = recordingTo(run, options.onEvent);
  try {
    const data = await loadData(config, onEvent);
    for (const note of data.notes) onEvent({ kind: "note", ...note });
    const engine = await selectEngine({ engine: options.engine });
    const shape = { shape: data.train.shape, classes: data.labels.length };
    for (const candidate of candidates) checkDistillation(candidate.config, shape);
    const { signal, clock, workers } = options;
    const directoryOf = ({ id }: Pick<NetworkPlan, "id">): string => run.at(id);
    const shared = { run, config, directoryOf, engine, data, onEvent, signal, clock };
    const context: PipelineContext = { ...shared, ...(workers !== undefined && { workers }) };
    const guides = await trainNetworks(context, ["teacher", "assistant"]);

    const scores = new Map<string, Map<number, number>>(candidates.map(({ id }) => [id, new Map()]));
    let left: readonly Candidate[] = candidates;
    for (const [index, round] of rounds.entries()) {
      const found = await runRound(context, left, index + 1, round, new Map(guides.map((guide) => [guide.id, guide])));
      for (const [id, score] of found) scores.get(id)!.set(index + 1, score);
      left = betterHalf(left, found);
    }

    const finished: NamedReport[] = [];
    for (const candidate of left) {
      const sharedAt = (plan: Pick<NetworkPlan, "id" | "role">): string | undefined => {
        if (plan.role === "student") return undefined;
        return plan.role === "baseline" ? run.at("sweep", `size-${candidate.size}`, plan.id) : run.at(plan.id);
      };
      const { report } = await runPipeline({
        ...options,
        config: candidate.config,
        out: run.at("sweep", "runs", candidate.id),
        until: "report",
        directoryOf: sharedAt,
        onEvent: (event) => options.onEvent(inRun(event, candidate.id)),
      });
      finished.push({ name: candidate.id, report: report! });
    }
    // Files of one size differ in their weights alone.
    const bundles = left.map(({ id, size }) => [size, run.at("sweep", "runs", id, "bundle")] as const);
    const latency = await measureLatency(new Map(bundles), { seed: config.seeds[0]!, signal, onEvent });
    const swept = candidates.map(({ id, values }): SweptCandidate => {
      const own = finished.find(({ name }) => name === id);
      return {
        id,
        values,
        scores: rounds.map((_, index) => scores.get(id)!.get(index + 1) ?? null),
        ...(own && { run: `sweep/runs/${id}`, passed: own.report.checks.every(({ ok }) => ok) }),
      };
    });
    const result: SweepReport = {
      format: "distillate-sweep",
      version: 1,
      name: config.name,
      tool: TOOL_VERSION,
      node: process.version,
      engine,
      config,
      axes,
      rounds,
      candidates: swept,
      finished: withLatency(mergeReports(finished), left, latency),
    };
    await writeFileAtomic(run.at("sweep.json"), `${JSON.stringify(result, null, 2)}\n`);
    await writeFileAtomic(run.at("sweep.md"), sweepMarkdown(result));
    await writeFileAtomic(run.at("sweep.html"), sweepPage(result));
    const points = frontPoints(result.finished.rows);
    for (const cost of costsOf(points)) {
      await writeFileAtomic(run.at(`front-${cost}.svg`), svgFile(drawFront(points, cost)));
    }
    return result;
  } finally {
    run.close();
  }
}

/** Adds what the files of each candidate's size took. */
function withLatency(
  merged: MergedReport,
  candidates: readonly Candidate[],
  latency: ReadonlyMap<string, Latency>,
): MergedReport {
  const rows = merged.rows.map((row) => {
    const { size } = candidates.find(({ id }) => id === row.name)!;
    const file = (id: "fp32" | "int8"): MergedRow["exported"]["fp32"] => {
      const milliseconds = latency.get(size)?.get(id);
      return { ...row.exported[id], ...(milliseconds !== undefined && { milliseconds }) };
    };
    return { ...row, exported: { fp32: file("fp32"), int8: file("int8") } };
  });
  return { ...merged, rows };
}

/** Assistants keep the losses that they have in the configuration itself, so that one serves all candidates. */
function withOwnDistill(config: RunConfig): RunConfig {
  const { stages, distill } = config;
  return { ...config, stages: stages.map((stage) => (stage.kind === "assistant" ? { distill, ...stage } : stage)) };
}

/** Events of a candidate's run, told as its own. */
function inRun<Event extends { readonly kind: string }>(event: Event, id: string): Event {
  const { stage, job } = event as { stage?: string; job?: string };
  return {
    ...event,
    ...(stage !== undefined && { stage: `${id}: ${stage}` }),
    ...(job !== undefined && { job: `${id}: ${job}` }),
  };
}

/** Trains the student of each candidate with the first seed, and returns their scores on the validation part. */
async function runRound(
  context: PipelineContext,
  candidates: readonly Candidate[],
  number: number,
  { epochs }: Round,
  guides: Networks,
): Promise<ReadonlyMap<string, number>> {
  const jobs = candidates.map(({ id, config }): Job<Trained> => {
    const plans = planNetworks(config);
    const first = plans.find((plan) => plan.role === "student") as TrainPlan;
    const { training } = first.network;
    const plan: TrainPlan = {
      ...first,
      id: `sweep/round-${number}/${id}`,
      network: { ...first.network, training: { ...training, epochs: Math.min(epochs, training.epochs) } },
    };
    // Nobody learns from a student of a round: only those that it hears are among its plans.
    const heard = plans.filter(({ role }) => role === "teacher" || role === "assistant");
    return { id: plan.id, after: [], start: () => makeNetwork({ ...context, config }, plan, heard, guides) };
  });
  const trained = await runJobs(jobs, trainingSlots(context));
  return new Map(candidates.map(({ id }, i) => [id, trained.get(jobs[i]!.id)!.record.result.validationAccuracy]));
}
