/**
 * What is said of samples. A percentile is given only where enough samples stand behind it: p95 and p99 from ten beyond them
 * on, p90 from the 64 runs on with which the shortest stop rule is content. Nothing is removed: outliers are counted.
 */
import { mean, medianAbsoluteDeviation, quantileSorted } from "simple-statistics";

/** Numbers about samples, in the samples' own unit. */
export interface Summary {
  readonly n: number;
  readonly min: number;
  readonly p50: number;
  readonly p90?: number | undefined;
  readonly p95?: number | undefined;
  readonly p99?: number | undefined;
  readonly max: number;
  readonly mean: number;
  /** Median absolute deviation from the median, not scaled. */
  readonly mad: number;
  /** Samples above the median by more than five times `mad`. They are in all other numbers. */
  readonly outliers: number;
}

/** Percentiles by name. */
export const PERCENTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const;
/** Name of a percentile. */
export type PercentileName = keyof typeof PERCENTILES;

const NEEDED: { readonly [Name in PercentileName]: number } = { p50: 1, p90: 64, p95: 200, p99: 1000 };
const OUTLIER_DEVIATIONS = 5;

/** Summarises at least one sample. Between two samples a percentile is interpolated (as NumPy does). */
export function summarize(samples: readonly number[]): Summary {
  const sorted = Float64Array.from(samples).sort() as unknown as number[];
  const n = sorted.length;
  const p50 = quantileSorted(sorted, 0.5);
  const mad = medianAbsoluteDeviation(sorted);
  const limit = p50 + OUTLIER_DEVIATIONS * mad;
  const at = (name: PercentileName): number | undefined =>
    n < NEEDED[name] ? undefined : quantileSorted(sorted, PERCENTILES[name]);
  return {
    n,
    min: sorted[0]!,
    p50,
    p90: at("p90"),
    p95: at("p95"),
    p99: at("p99"),
    max: sorted[n - 1]!,
    mean: mean(sorted),
    mad,
    outliers: sorted.reduce((count, value) => count + (value > limit ? 1 : 0), 0),
  };
}

/** How the median of the last tenth of samples compares with that of the first tenth: 1.2 is a fifth slower at the end. */
export function driftOf(samples: readonly number[]): number {
  const tenth = Math.max(1, Math.floor(samples.length / 10));
  const median = (part: readonly number[]): number => summarize(part).p50;
  return median(samples.slice(-tenth)) / median(samples.slice(0, tenth));
}
