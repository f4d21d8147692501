/**
 * What all workers of a step found as one: averages by the sizes of their shares, in the workers' order,
 *
 *   sum over w of  n_w / n  f_w          and for weights, so that what nobody changed stays to the bit, with the last worker l
 *   f_l + sum over w of  n_w / n (f_w - f_l)
 */
import type { Loops } from "../engine/simd/loops.ts";
import { shareOf } from "./shares.ts";

/** A worker with something to do, and its part of the batch. */
export interface Share {
  readonly worker: number;
  readonly part: number;
}

/** The shares of a batch that are not empty. The last worker's is the largest. */
export function sharesOf(size: number, workers: number): readonly Share[] {
  return Array.from({ length: workers }, (_, worker) => worker).flatMap((worker): Share[] => {
    const [from, to] = shareOf(size, workers, worker);
    return from < to ? [{ worker, part: (to - from) / size }] : [];
  });
}

/**
 * The average of what each worker found, by loops over the memory that it lies in. It lies where the last worker's findings lay
 * afterwards, and what other shares found is overwritten too.
 *
 * @param room - Two floats of that memory.
 */
export function averageInPlace(
  loops: Pick<Loops, "weightedSum">,
  findings: readonly Float32Array[],
  [first, ...others]: readonly Share[],
  room: Float32Array,
): Float32Array {
  let sum = findings[first!.worker]!;
  for (const [i, { worker, part }] of others.entries()) {
    const next = findings[worker]!;
    room[0] = i === 0 ? first!.part : 1;
    room[1] = part;
    loops.weightedSum(sum.byteOffset, next.byteOffset, room.byteOffset, next.byteOffset, next.length);
    sum = next;
  }
  return sum;
}

/** Writes the average of weights to `target`. */
export function averageAround(findings: readonly Float32Array[], shares: readonly Share[], target: Float32Array): void {
  const last = findings.at(-1)!;
  for (let i = 0; i < target.length; i++) {
    let sum = last[i]!;
    for (const { worker, part } of shares)
      if (worker < findings.length - 1) sum += part * (findings[worker]![i]! - last[i]!);
    target[i] = sum;
  }
}

/** The averages of losses. */
export function averageLosses(findings: readonly Float32Array[], shares: readonly Share[]): readonly number[] {
  return Array.from(findings[0]!, (_, i) =>
    shares.reduce((sum, { worker, part }) => sum + part * findings[worker]![i]!, 0),
  );
}
