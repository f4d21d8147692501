/** What all workers of a step found as one, computed where it lies. */
import { instantiate, type SharedWasmMemory } from "../engine/simd/instantiate.ts";
import { WEIGHTED_SUM } from "../engine/simd/weighted-sum.ts";
import type { Board } from "./board.ts";
import { shareOf } from "./shares.ts";

/** Where in a worker's findings what lies. */
export interface Findings {
  readonly gradients: Float32Array;
  /** Weights that no gradient reaches. */
  readonly own: Float32Array;
  readonly losses: Float32Array;
}

/** Writes the mean of a batch of so many samples on the board. */
export type MeanOfShares = (size: number) => Findings;

/**
 * Averages what all workers found by the sizes of their shares, in the workers' order:
 *
 *   sum over w of  n_w / n  f_w          and for weights, so that what nobody changed stays to the bit, with the last worker l
 *   f_l + sum over w of  n_w / n (f_w - f_l)
 *
 * @param memory - The one that the board lies in, with gradients, own weights and losses of each worker one after the other.
 */
export function meanOver(
  memory: SharedWasmMemory,
  { findings, mean, shares }: Board,
  sizes: { readonly gradients: number; readonly own: number },
): MeanOfShares {
  const { weightedSum } = instantiate<{
    weightedSum(a: number, b: number, weights: number, out: number, size: number): void;
  }>([WEIGHTED_SUM], memory);
  const addUp = (a: Float32Array, ofA: number, b: Float32Array, ofB: number): void => {
    shares.set([ofA, ofB]);
    weightedSum(a.byteOffset, b.byteOffset, shares.byteOffset, mean.byteOffset, mean.length);
  };
  const ownEnd = sizes.gradients + sizes.own;
  const found: Findings = {
    gradients: mean.subarray(0, sizes.gradients),
    own: mean.subarray(sizes.gradients, ownEnd),
    losses: mean.subarray(ownEnd),
  };
  // A share may be empty, and then nothing was found: the last worker's is the largest.
  const last = findings.at(-1)!;
  return (size) => {
    const weights = findings.map((_, worker) => {
      const [from, to] = shareOf(size, findings.length, worker);
      return (to - from) / size;
    });
    const [first, ...others] = findings.flatMap((values, worker) => {
      const weight = weights[worker]!;
      return weight > 0 ? [{ values, weight }] : [];
    });
    if (others.length === 0) mean.set(first!.values);
    for (const [i, { values, weight }] of others.entries()) {
      // The first two in one pass, since memory is what this waits for.
      if (i === 0) addUp(first!.values, first!.weight, values, weight);
      else addUp(mean, 1, values, weight);
    }
    for (let i = sizes.gradients; i < ownEnd; i++) {
      const start = last[i]!;
      let sum = start;
      for (let worker = 0; worker < findings.length - 1; worker++) {
        if (weights[worker]! > 0) sum += weights[worker]! * (findings[worker]![i]! - start);
      }
      mean[i] = sum;
    }
    return found;
  };
}
