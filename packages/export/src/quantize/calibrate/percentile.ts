/**
 * Leaves the outermost values out: (100 - percent) / 2 per cent at each end, to the width of a bin and never more than that.
 */
import type { Calibrator } from "./calibrator.ts";
import { growingHistogram } from "./histogram.ts";

/** See the file's header. */
export function percentile(percent: number, bins: number): Calibrator {
  const histogram = growingHistogram(bins);
  return {
    sees: "values",
    observe: histogram.add,
    range() {
      const { min, max, width, first, counts } = histogram.result();
      const total = counts.reduce((sum, count) => sum + count, 0);
      const allowed = (total * (1 - percent / 100)) / 2;
      /** How many bins from one end together hold no more than may be left out. */
      const outside = (from: Float64Array): number => {
        let [bin, sum] = [0, 0];
        while (bin < from.length && sum + from[bin]! <= allowed) sum += from[bin++]!;
        return bin;
      };
      const low = (first + outside(counts)) * width;
      const high = (first + counts.length - outside(counts.toReversed())) * width;
      return { min: Math.min(0, Math.max(min, low)), max: Math.max(0, Math.min(max, high)) };
    },
  };
}
