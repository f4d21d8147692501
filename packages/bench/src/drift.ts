/** What becomes of speed over minutes: chips that get hot slow down, and so does the calibration. */
import type { Block } from "./block.ts";
import { driftOf, summarize } from "./statistics.ts";

/** Where a long run went. */
export interface Drift {
  /** Seconds since the begin, and the median there in milliseconds. */
  readonly timeline: readonly [seconds: number, milliseconds: number][];
  readonly drift: number;
  readonly calibrationDrift: number;
}

/** From the blocks of a long run, each with the second it began at. */
export function compareStretches(
  blocks: readonly (Pick<Block, "samples" | "calibration"> & { readonly at: number })[],
): Drift {
  const medians = blocks.map(({ samples }) => summarize(samples).p50);
  return {
    timeline: blocks.map(({ at }, i) => [at, medians[i]!]),
    drift: driftOf(medians),
    calibrationDrift: driftOf(blocks.map(({ calibration }) => calibration[0])),
  };
}
