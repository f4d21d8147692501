/** A stream's answers, calmer: the mean of the last few score vectors, as keyword spotters average their posteriors. */

/** Averages score vectors. */
export interface Smoother {
  /** The mean over the last ones, this one included. */
  push(scores: ArrayLike<number>): Float32Array;
}

/** Averages over `count` vectors; with 1, each is answered as it is. */
export function createSmoother(count: number): Smoother {
  let last: readonly Float32Array[] = [];
  return {
    push(scores) {
      last = [...last, Float32Array.from(scores)].slice(-Math.max(1, count));
      const mean = new Float32Array(scores.length);
      for (const each of last) for (const [i, score] of each.entries()) mean[i]! += score / last.length;
      return mean;
    },
  };
}
