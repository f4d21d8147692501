/**
 * The range with the least mean squared error of the integers, from the histogram:
 *
 *   E(a, b) = sum over x in [a, b], x != 0 of s^2 / 12  +  sum over x < a of (x - a)^2  +  sum over x > b of (x - b)^2
 *   s = (b - a) / levels
 *
 * Zero is exact, so that it costs nothing. Searched on a grid of STEPS shares of either end; sums of x and x^2 from the ends make one
 * candidate cost O(1).
 */
import type { Calibrator } from "./calibrator.ts";
import { growingHistogram, type Histogram } from "./histogram.ts";

const STEPS = 128;

/** See the file's header. */
export function leastSquares(levels: number, bins: number): Calibrator {
  const histogram = growingHistogram(bins);
  return {
    sees: "values",
    observe: histogram.add,
    range() {
      const found = histogram.result();
      const lows = ends(found, -1);
      const highs = ends(found, 1);
      const inner = found.counts.reduce((sum, count) => sum + count, -found.zeros);
      let best = { min: 0, max: 0, error: Number.POSITIVE_INFINITY };
      for (const low of lows) {
        for (const high of highs) {
          const step = (high.at - low.at) / levels;
          const error = ((inner - low.count - high.count) * step ** 2) / 12 + low.error + high.error;
          if (error < best.error) best = { min: low.at, max: high.at, error };
        }
      }
      return { min: best.min, max: best.max };
    },
  };
}

interface End {
  readonly at: number;
  /** How many values lie beyond it, and what moving them onto it costs. */
  readonly count: number;
  readonly error: number;
}

/** Candidates on one side of zero, the outermost first. */
function ends({ min, max, width, first, counts }: Histogram, sign: -1 | 1): readonly End[] {
  const reach = sign < 0 ? -min : max;
  if (reach === 0) return [{ at: 0, count: 0, error: 0 }];
  const found: End[] = [];
  let [bin, count, sum, squares] = [sign < 0 ? 0 : counts.length - 1, 0, 0, 0];
  for (let step = STEPS; step >= 1; step--) {
    const at = (reach * step) / STEPS;
    for (; ; bin -= sign) {
      const middle = sign * (first + bin + 0.5) * width;
      if (!(middle > at) || bin < 0 || bin >= counts.length) break;
      count += counts[bin]!;
      sum += counts[bin]! * middle;
      squares += counts[bin]! * middle ** 2;
    }
    found.push({ at: sign * at, count, error: Math.max(0, squares - 2 * at * sum + count * at ** 2) });
  }
  return found;
}
