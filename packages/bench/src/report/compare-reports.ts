/** Two reports side by side, target by target. A limit is broken only when the whole 95 % interval lies past it. */
import { DistillateError } from "@distillate/bundle";
import type { Interval } from "../bootstrap.ts";
import { compareLatency } from "../compare.ts";
import { countedBlocks } from "../measure.ts";
import { PERCENTILES, type PercentileName, summarize } from "../statistics.ts";
import { isRatio, type Limit, type Metric } from "./gate.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

/** One metric of one target. */
export interface Comparison {
  readonly target: string;
  readonly metric: Metric;
  readonly base: number;
  readonly head: number;
  /** Of head / base for ratios, of head - base in points for accuracy and agreement. */
  readonly change: Interval;
  readonly limit?: Limit | undefined;
  readonly verdict: "failed" | "ok" | "undecided";
  readonly why?: string | undefined;
}

/** All of it. */
export interface Compared {
  readonly comparisons: readonly Comparison[];
  /** What stands in the way of comparing, in words. */
  readonly notes: readonly string[];
  readonly failed: boolean;
}

/** Which target of the head is held against which of the base. */
export interface Pair {
  readonly name: string;
  readonly base: TargetReport;
  readonly head: TargetReport;
}

const SAME_PACE = 0.05;
const NORMAL_95 = 1.959964;
const SHOWN: readonly Metric[] = ["p50", "p90", "download", "accuracy", "agreement"];

/**
 * Compares reports of two files, targets by their names.
 *
 * @throws DistillateError `nothing-in-common` when no target is in both.
 */
export function compareReports(base: BenchReport, head: BenchReport, limits: readonly Limit[]): Compared {
  const pairs = base.targets.flatMap((target): Pair[] => {
    const other = head.targets.find(({ id }) => id === target.id);
    return other ? [{ name: target.id, base: target, head: other }] : [];
  });
  if (pairs.length === 0) {
    throw new DistillateError({
      code: "nothing-in-common",
      message: `no target is in both: base has ${base.targets.map(({ id }) => id).join("; ")}, head has ${head.targets.map(({ id }) => id).join("; ")}`,
      hint: "Measure both with the same --targets and --threads.",
    });
  }
  const only = (one: BenchReport, other: BenchReport): readonly string[] =>
    one.targets.map(({ id }) => id).filter((id) => !other.targets.some((target) => target.id === id));
  const notes = [
    ...only(base, head).map((id) => `only in the base: ${id}`),
    ...only(head, base).map((id) => `only in the head: ${id}`),
    ...differences(base, head),
    ...pairs.flatMap(paceNote),
  ];
  const sameInputs = `${base.inputs.labels}` === `${head.inputs.labels}` && base.inputs.source === head.inputs.source;
  return comparePairs(pairs, limits, {
    labels: sameInputs ? base.inputs.labels : undefined,
    seed: head.settings.seed,
    paired: false,
    notes: sameInputs ? notes : [...notes, "the inputs differ: accuracy is not compared"],
  });
}

/** Compares targets; `paired` when both sides come from the same rounds of one measurement. */
export function comparePairs(
  pairs: readonly Pair[],
  limits: readonly Limit[],
  {
    labels,
    seed,
    paired,
    notes = [],
  }: {
    readonly labels: readonly number[] | undefined;
    readonly seed: number;
    readonly paired: boolean;
    readonly notes?: readonly string[];
  },
): Compared {
  const metrics = [...new Set([...SHOWN, ...limits.map(({ metric }) => metric)])];
  const comparisons = pairs.flatMap((pair) =>
    metrics.flatMap((metric): Comparison[] => {
      const measured = measure(pair, metric, { labels, seed, paired });
      if (!measured) return [];
      const limit = limits.find((each) => each.metric === metric);
      const isInvalid = metric in PERCENTILES && [pair.base, pair.head].some(({ latency }) => latency?.invalid);
      const isBroken = limit !== undefined && isPast(measured.change, limit);
      return [
        {
          target: pair.name,
          metric,
          ...measured,
          limit,
          verdict: limit && isInvalid ? "undecided" : isBroken ? "failed" : "ok",
          ...(limit && isInvalid && { why: "INVALID measurement: measure again on a quieter machine" }),
        },
      ];
    }),
  );
  const broken = pairs.flatMap(({ name, head, base }) =>
    head.problem && !base.problem ? [`${name} does not run any more: ${head.problem.message}`] : [],
  );
  return {
    comparisons,
    notes: [...notes, ...broken],
    failed: broken.length > 0 || comparisons.some(({ verdict }) => verdict === "failed"),
  };
}

function isPast({ low, high }: Interval, { metric, worse }: Limit): boolean {
  return isRatio(metric) ? low > 1 + worse : high < -worse;
}

function measure(
  { base, head }: Pair,
  metric: Metric,
  options: { readonly labels: readonly number[] | undefined; readonly seed: number; readonly paired: boolean },
): Pick<Comparison, "base" | "head" | "change"> | undefined {
  if (metric === "download") {
    const [before, after] = [base.size?.brotliBytes, head.size?.brotliBytes];
    if (before === undefined || after === undefined) return undefined;
    return { base: before, head: after, change: exactly(after / before) };
  }
  if (metric === "accuracy" || metric === "agreement") {
    const [before, after] = [base.quality?.[metric], head.quality?.[metric]];
    if (before === undefined || after === undefined) return undefined;
    if (metric === "agreement") return { base: before, head: after, change: exactly(100 * (after - before)) };
    const [old, now] = [base.quality?.answers, head.quality?.answers];
    if (!options.labels || !old || !now) return undefined;
    return { base: before, head: after, change: pairedDifference(old, now, options.labels) };
  }
  const [before, after] = [base.latency?.summary?.[metric], head.latency?.summary?.[metric]];
  if (before === undefined || after === undefined) return undefined;
  const side = ({ latency }: TargetReport) => ({ blocks: countedBlocks(latency!.blocks) });
  return {
    base: before,
    head: after,
    change: compareLatency(side(base), side(head), metric as PercentileName, options),
  };
}

function exactly(value: number): Interval {
  return { estimate: value, low: value, high: value };
}

/**
 * The difference of two accuracies on the same samples, in points, with the interval of paired proportions (Newcombe 1998,
 * Statistics in Medicine 17, method 1): only samples on which the two differ say anything.
 */
export function pairedDifference(
  base: readonly number[],
  head: readonly number[],
  labels: readonly number[],
): Interval {
  let [won, lost] = [0, 0];
  for (const [i, label] of labels.entries()) {
    if (head[i] === label && base[i] !== label) won++;
    if (head[i] !== label && base[i] === label) lost++;
  }
  const n = labels.length;
  const estimate = (100 * (won - lost)) / n;
  const error = (100 * Math.sqrt(Math.max(0, won + lost - (won - lost) ** 2 / n))) / n;
  return { estimate, low: estimate - NORMAL_95 * error, high: estimate + NORMAL_95 * error };
}

function differences(base: BenchReport, head: BenchReport): readonly string[] {
  const about = ["cpu", "cores", "node", "onnxruntime-node", "onnxruntime-web", "chromium"];
  return about
    .filter((name) => base.environment[name] !== head.environment[name])
    .map((name) => `${name} differs: ${base.environment[name] ?? "none"} against ${head.environment[name] ?? "none"}`);
}

/** The machine's own pace, by the calibration around each block. */
function paceNote({ name, base, head }: Pair): readonly string[] {
  const pace = ({ latency }: TargetReport): number | undefined => {
    const times = (latency?.blocks ?? []).flatMap(({ calibration }) => calibration);
    return times.length === 0 ? undefined : summarize(times).p50;
  };
  const [before, after] = [pace(base), pace(head)];
  // Each host makes its calibration as long as its clock needs: powers of two apart means another length, not another pace.
  if (before === undefined || after === undefined) return [];
  const ratio = after / before;
  const pure = ratio / 2 ** Math.round(Math.log2(ratio));
  if (Math.abs(pure - 1) <= SAME_PACE) return [];
  return [
    `${name}: the machine itself was ${((pure - 1) * 100).toFixed(0)} % ${pure > 1 ? "slower" : "faster"} for the head; latencies are not comparable`,
  ];
}
