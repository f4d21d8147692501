/**
 * How sure a ratio is: the percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) over
 * blocks. Neighbouring calls share a moment of the machine and are not independent; blocks of calls nearly are, so whole blocks
 * are drawn. Where both sides were measured in the same rounds, rounds are drawn, and what struck both cancels.
 */
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** Samples block by block. */
export type Blocks = readonly (readonly number[])[];

/** An estimate with its 95 % interval. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** How to draw. */
export interface BootstrapOptions {
  readonly seed: number;
  readonly resamples?: number;
  /** Block `i` of both sides is from the same round. */
  readonly paired?: boolean;
}

const CONFIDENCE = 0.95;
/** Values a stride of the index; see {@link indexBlocks}. */
const STRIDE = 128;

/**
 * The ratio head / base of one percentile, with its interval.
 *
 * @param share the percentile as a share: 0.5 is the median.
 */
export function bootstrapRatio(base: Blocks, head: Blocks, share: number, options: BootstrapOptions): Interval {
  const { seed, resamples = 10_000, paired = false } = options;
  const random = xoroshiro128plus(seed);
  const [left, right] = [indexBlocks(base), indexBlocks(head)];
  const [ones, others] = [left, right].map(({ blocks }) => new Uint32Array(blocks).fill(1)) as [
    Uint32Array,
    Uint32Array,
  ];
  const estimate = quantile(right, others, share) / quantile(left, ones, share);
  const ratios = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    draw(random, ones);
    if (paired) others.set(ones);
    else draw(random, others);
    ratios[i] = quantile(right, others, share) / quantile(left, ones, share);
  }
  ratios.sort();
  const tail = (1 - CONFIDENCE) / 2;
  const at = (part: number): number => ratios[Math.min(resamples - 1, Math.floor(part * resamples))]!;
  return { estimate, low: at(tail), high: at(1 - tail) };
}

/** Draws as many blocks as there are, with replacement; `counts` becomes how often each came. */
function draw(random: RandomGenerator, counts: Uint32Array): void {
  counts.fill(0);
  const { length } = counts;
  for (let i = 0; i < length; i++) counts[Math.floor(((random.next() >>> 0) / 2 ** 32) * length)]!++;
}

/** All values in order, and for every stride of them how many of each block lie before: a resample needs no sorting. */
interface Index {
  readonly blocks: number;
  readonly values: Float64Array;
  readonly blockOf: Uint32Array;
  readonly before: Uint32Array;
}

function indexBlocks(blocks: Blocks): Index {
  const entries = blocks.flatMap((block, index) => block.map((value) => ({ value, index })));
  entries.sort((a, b) => a.value - b.value);
  const strides = Math.ceil(entries.length / STRIDE);
  const before = new Uint32Array((strides + 1) * blocks.length);
  for (const [i, { index }] of entries.entries()) before[(Math.floor(i / STRIDE) + 1) * blocks.length + index]!++;
  for (let i = blocks.length; i < before.length; i++) before[i]! += before[i - blocks.length]!;
  return {
    blocks: blocks.length,
    values: Float64Array.from(entries, ({ value }) => value),
    blockOf: Uint32Array.from(entries, ({ index }) => index),
    before,
  };
}

/** The smallest value that at least `share` of the weighted values do not exceed. */
function quantile({ blocks, values, blockOf, before }: Index, weights: Uint32Array, share: number): number {
  const weighBefore = (stride: number): number => {
    let sum = 0;
    for (let block = 0; block < blocks; block++) sum += weights[block]! * before[stride * blocks + block]!;
    return sum;
  };
  const strides = before.length / blocks - 1;
  const target = share * weighBefore(strides);
  let [low, high] = [0, strides];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (weighBefore(middle) < target) low = middle;
    else high = middle;
  }
  let sum = weighBefore(low);
  for (let i = low * STRIDE; i < values.length; i++) {
    sum += weights[blockOf[i]!]!;
    if (sum >= target) return values[i]!;
  }
  return values.at(-1)!;
}
