import { shareOf } from "./shares.ts";

/** Where in a worker's findings what lies. */
export interface Findings {
  readonly gradients: Float32Array;
  /** Weights that no gradient reaches. */
  readonly own: Float32Array;
  readonly losses: Float32Array;
}

/**
 * What all workers found as one, weighted by the sizes of their shares, in the workers' order:
 *
 *   sum over w of  n_w / n  f_w          and for weights, so that what nobody changed stays to the bit, with the last worker l
 *   f_l + sum over w of  n_w / n (f_w - f_l)
 *
 * @param found - Gradients, own weights and losses of each worker, one after the other.
 * @param size - Samples of the batch.
 * @param mean - Where it is written: as long as what a worker found.
 */
export function meanOfShares(
  found: readonly Float32Array[],
  sizes: { readonly gradients: number; readonly own: number },
  size: number,
  mean: Float32Array,
): Findings {
  const weights = found.map((_, worker) => {
    const [from, to] = shareOf(size, found.length, worker);
    return (to - from) / size;
  });
  const ownEnd = sizes.gradients + sizes.own;
  // A share may be empty, and then nothing was found: the last worker's is the largest.
  const last = found.length - 1;
  const shares = found.map((values, worker) => ({ values, weight: weights[worker]! }));
  addUp(
    shares.filter(({ weight }) => weight > 0),
    mean,
  );
  for (let i = sizes.gradients; i < ownEnd; i++) {
    const start = found[last]![i]!;
    let sum = start;
    for (let worker = 0; worker < last; worker++) {
      if (weights[worker]! > 0) sum += weights[worker]! * (found[worker]![i]! - start);
    }
    mean[i] = sum;
  }
  return {
    gradients: mean.subarray(0, sizes.gradients),
    own: mean.subarray(sizes.gradients, ownEnd),
    losses: mean.subarray(ownEnd),
  };
}

interface Weighted {
  readonly values: Float32Array;
  readonly weight: number;
}

/** The weighted sum, in order; the first two in one pass, since memory is what this waits for. */
function addUp(shares: readonly Weighted[], sum: Float32Array): void {
  const [first, second, ...more] = shares;
  if (second === undefined) {
    for (let i = 0; i < sum.length; i++) sum[i] = first!.weight * first!.values[i]!;
    return;
  }
  const { values: a, weight: weightOfA } = first!;
  const { values: b, weight: weightOfB } = second;
  for (let i = 0; i < sum.length; i++) sum[i] = weightOfA * a[i]! + weightOfB * b[i]!;
  for (const { values, weight } of more) {
    for (let i = 0; i < sum.length; i++) sum[i]! += weight * values[i]!;
  }
}
