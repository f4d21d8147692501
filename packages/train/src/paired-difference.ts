/**
 * How much better one group of models is than another on the same samples, with an interval for what the choice of samples alone
 * would change.
 *
 *   d_i = share of seeds right on sample i with the one, less that with the other
 *   difference = mean d_i          interval: 2.5 to 97.5 % of the means of n samples drawn with replacement, 2,000 times
 *
 * Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.3 (percentile interval), on pairs: both are measured on the
 * very same samples, so what is hard for both cancels. It says nothing about other seeds: their spread stands beside it.
 */
import { argmax } from "@distillate/bundle";
import type { Logits } from "./evaluate.ts";
import { randomFor } from "./random.ts";

/** A difference of accuracies and its interval, as shares. */
export interface PairedDifference {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/** Which samples one model gets right, by the label that its logits name. */
export function rightOf({ classes, values }: Logits, labels: ArrayLike<number>): readonly boolean[] {
  return Array.from({ length: labels.length }, (_, i) => argmax(values, i * classes, classes) === labels[i]);
}

/** Accuracy of `first` less that of `second`, each a group of seeds: by model and sample, whether it is right. */
export function pairedDifference(
  first: readonly (readonly boolean[])[],
  second: readonly (readonly boolean[])[],
  seed: number,
): PairedDifference {
  const [one, other] = [first, second].map(sharesRight);
  const differences = one!.map((share, i) => share - other![i]!);
  const count = differences.length;
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / count;
  const random = randomFor(seed, 0xb0075);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += differences[(random.next() >>> 0) % count]!;
    return sum / count;
  }).sort();
  return { mean, low: means[Math.floor(0.025 * RESAMPLES)]!, high: means[Math.ceil(0.975 * RESAMPLES) - 1]! };
}

/** For each sample, the share of models that name its label. */
function sharesRight(group: readonly (readonly boolean[])[]): Float64Array {
  const shares = new Float64Array(group[0]!.length);
  for (const right of group) {
    for (const [i, isRight] of right.entries()) if (isRight) shares[i]! += 1 / group.length;
  }
  return shares;
}
