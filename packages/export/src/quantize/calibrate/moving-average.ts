/**
 * The smallest and the largest value of each sample, averaged over the samples:
 *
 *   m_n = m_(n-1) + r (x_n - m_(n-1)),   r = max(1 / n, 1 - momentum)
 *
 * so that the first samples weigh alike: with momentum 1 it is the mean. A single outlier hardly moves it.
 */
import type { Calibrator } from "./calibrator.ts";

/** See the file's header. */
export function movingAverage(momentum: number): Calibrator {
  let [min, max, seen] = [0, 0, 0];
  return {
    sees: "values",
    observe(values, samples) {
      const size = values.length / samples;
      for (let start = 0; start < values.length; start += size) {
        let [low, high] = [0, 0];
        for (let i = start; i < start + size; i++) {
          const value = values[i]!;
          if (value < low) low = value;
          if (value > high) high = value;
        }
        seen++;
        const rate = Math.max(1 / seen, 1 - momentum);
        min += rate * (low - min);
        max += rate * (high - max);
      }
    },
    range: () => ({ min, max }),
  };
}
