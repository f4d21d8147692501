/** What turns logits into an answer. Pure functions on plain arrays, the same on every device. */

/** One class of a ranking. */
export interface Ranked {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

/** Softmax of one row of logits; the largest is subtracted first, so that no logit is too large. */
export function softmax(logits: ArrayLike<number>): Float32Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  const result = new Float32Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    result[i] = Math.exp(logits[i]! - largest);
    sum += result[i]!;
  }
  for (let i = 0; i < result.length; i++) result[i]! /= sum;
  return result;
}

/** Index of the largest of `count` values from `offset`; the first of equals. */
export function argmax(values: ArrayLike<number>, offset = 0, count: number = values.length - offset): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[offset + i]! > values[offset + best]!) best = i;
  return best;
}

/** The `k` best-scored classes, best first; of equals the lower index first. */
export function topK(scores: ArrayLike<number>, labels: readonly string[], k: number): readonly Ranked[] {
  return Array.from(scores, (score, index) => ({ index, label: labels[index] ?? String(index), score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, k);
}
