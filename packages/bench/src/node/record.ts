/** What a benchmark knows so far: its targets, what each of them gave or failed with, and the report of it all at any moment. */
import { isDistillateError } from "@distillate/bundle";
import { type BenchReport, REPORT_VERSION, type TargetReport } from "../report/schema.ts";
import type { NamedRule } from "../stop-rule.ts";
import type { TargetSpec } from "../target.ts";
import { BLOCK_MILLISECONDS } from "./latency.ts";
import type { BenchOptions } from "./options.ts";

/** Everything about one target while it is measured. */
export interface Entry {
  readonly spec: TargetSpec;
  /** Samples a call may take; known once it is open. */
  rowsPerCall: number;
  report: TargetReport;
}

/** What a step adds to a target's report. */
type Measuring = (entry: Entry) => Promise<Partial<TargetReport>>;

/** Facts that concern no target alone. */
interface Facts {
  rule: NamedRule;
  runtimes?: NonNullable<BenchReport["runtimes"]>;
  readonly commit: string | undefined;
  readonly environment: Record<string, string | number>;
}

/** The record of one benchmark. What a target throws becomes its problem; the rest goes on. */
export class BenchRecord {
  readonly options: BenchOptions;
  readonly facts: Facts;
  #entries: readonly Entry[];
  readonly #notes: NonNullable<BenchOptions["notes"]>[number][];

  constructor(options: BenchOptions, facts: Facts) {
    this.options = options;
    this.facts = facts;
    this.#entries = options.targets.map((spec) => ({ spec, rowsPerCall: 1, report: emptyReport(spec) }));
    this.#notes = [...(options.notes ?? [])];
  }

  /** Those that have not failed. */
  get working(): readonly Entry[] {
    return this.#entries.filter(({ report }) => report.problem === undefined);
  }

  entry(id: string): Entry {
    return this.#entries.find(({ spec }) => spec.id === id)!;
  }

  /** Measures nothing of some targets, and says why. */
  leaveOut(isOut: (spec: TargetSpec) => boolean, code: string, message: string): void {
    this.#entries = this.#entries.filter(({ spec }) => !isOut(spec));
    this.note(code, message);
  }

  note(code: string, message: string): void {
    this.#notes.push({ code, message });
    this.options.onEvent({ kind: "note", code, message });
  }

  fail(entry: Entry, error: unknown): void {
    const problem = problemOf(error);
    entry.report = { ...entry.report, problem };
    this.options.onEvent({ kind: "problem", target: entry.spec.id, message: problem.message });
  }

  /** Fails targets that have one cause, which is told once. */
  failAll(isFailed: (spec: TargetSpec) => boolean, error: unknown, before: string): void {
    const problem = problemOf(error);
    for (const entry of this.#entries) if (isFailed(entry.spec)) entry.report = { ...entry.report, problem };
    this.options.onEvent({
      kind: "note",
      code: problem.code,
      message: `${before}: ${problem.message}. ${problem.hint}`,
    });
  }

  /** Does one thing for one target. */
  async attempt(entry: Entry, measure: Measuring): Promise<void> {
    this.options.signal.throwIfAborted();
    try {
      entry.report = { ...entry.report, ...(await measure(entry)) };
    } catch (error) {
      this.fail(entry, error);
    }
  }

  /** Does one thing for some targets, one after the other. */
  async inTurn(what: string, all: readonly Entry[], measure: Measuring): Promise<void> {
    for (const [done, entry] of all.entries()) {
      this.options.onEvent({ kind: "progress", what: `${what}: ${entry.spec.id}`, done, total: all.length });
      await this.attempt(entry, measure);
    }
  }

  /** Does one thing for every target that works, and hands over what there is then. */
  async phase(what: string, measure: Measuring): Promise<void> {
    await this.inTurn(what, this.working, measure);
    await this.save();
  }

  async save(): Promise<BenchReport> {
    const report = this.report();
    await this.options.onReport(report);
    return report;
  }

  report(): BenchReport {
    const { subject, tool, now, seed, inputSource, inputs, labels } = this.options;
    const { rule, runtimes, commit, environment } = this.facts;
    return {
      format: "distillate-bench",
      version: REPORT_VERSION,
      subject,
      tool,
      created: now().toISOString(),
      ...(commit !== undefined && { commit }),
      settings: {
        rule: rule.name,
        runs: rule.runs,
        milliseconds: rule.milliseconds,
        seed,
        blockMilliseconds: BLOCK_MILLISECONDS,
      },
      environment,
      inputs: {
        source: inputSource,
        samples: inputs.samples,
        ...(labels && { labels: Array.from(labels) }),
      },
      targets: this.#entries.map(({ report }) => report),
      ...(runtimes && { runtimes }),
      notes: this.#notes,
    };
  }
}

function emptyReport({ id, model, runtime, place, threads }: TargetSpec): TargetReport {
  // The address of a module says where it lies on this machine; its name is enough.
  const name = runtime.startsWith("file:")
    ? runtime
        .split("/")
        .at(-1)!
        .replace(/\.[jt]s$/, "")
    : runtime;
  return { id, model, runtime: name, place, threads, details: {} };
}

function problemOf(error: unknown): NonNullable<TargetReport["problem"]> {
  if (isDistillateError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "target-failed",
    message: String((error as Error)?.message ?? error),
    hint: "The other targets go on.",
  };
}
