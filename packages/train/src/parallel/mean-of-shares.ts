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
 *   sum over w of  n_w / n  f_w          and for weights, so that what nobody changed stays to the bit,  f_0 + sum over w of  n_w / n (f_w - f_0)
 *
 * @param found - Gradients, own weights and losses of each worker, one after the other.
 * @param size - Samples of the batch.
 */
export function meanOfShares(
  found: readonly Float32Array[],
  sizes: { readonly gradients: number; readonly own: number },
  size: number,
): Findings {
  const shares = found.flatMap((values, worker) => {
    const [from, to] = shareOf(size, found.length, worker);
    return to > from ? [{ values, weight: (to - from) / size }] : [];
  });
  const mean = new Float32Array(found[0]!.length);
  for (let i = 0; i < mean.length; i++) {
    let sum = 0;
    for (const { values, weight } of shares) sum += weight * values[i]!;
    mean[i] = sum;
  }
  const ownEnd = sizes.gradients + sizes.own;
  const [first, ...others] = shares;
  for (let i = sizes.gradients; i < ownEnd; i++) {
    const start = first!.values[i]!;
    mean[i] = others.reduce((sum, { values, weight }) => sum + weight * (values[i]! - start), start);
  }
  return {
    gradients: mean.subarray(0, sizes.gradients),
    own: mean.subarray(sizes.gradients, ownEnd),
    losses: mean.subarray(ownEnd),
  };
}
