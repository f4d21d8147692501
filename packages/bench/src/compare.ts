/** Is the new one slower? A question for intervals: only when all of a 95 % interval lies past a threshold, it is. */
import { type Blocks, bootstrapRatio, type Interval } from "./bootstrap.ts";
import { PERCENTILES, type PercentileName } from "./statistics.ts";

/** One side's samples, block by block, each block with the round it was taken in. */
export interface Side {
  readonly blocks: readonly { readonly round: number; readonly samples: readonly number[] }[];
}

/**
 * The ratio head / base of one percentile.
 *
 * @param paired the sides were measured in the same rounds of one measurement: rounds that only one side has are left out. Sides
 * that share no round are compared as if measured apart.
 */
export function compareLatency(
  base: Side,
  head: Side,
  percentile: PercentileName,
  { seed, paired }: { readonly seed: number; readonly paired: boolean },
): Interval {
  const samples = ({ blocks }: Side): Blocks => blocks.map((block) => block.samples);
  const byRound = new Map(head.blocks.map((block) => [block.round, block]));
  const shared = paired ? base.blocks.filter(({ round }) => byRound.has(round)) : [];
  if (shared.length === 0) return bootstrapRatio(samples(base), samples(head), PERCENTILES[percentile], { seed });
  const others = shared.map(({ round }) => byRound.get(round)!.samples);
  return bootstrapRatio(samples({ blocks: shared }), others, PERCENTILES[percentile], { seed, paired });
}
