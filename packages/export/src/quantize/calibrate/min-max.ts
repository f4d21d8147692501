/** The smallest and the largest value of all. */
import type { Calibrator } from "./calibrator.ts";

/** See the file's header. */
export function minMax(): Calibrator {
  let [min, max] = [0, 0];
  return {
    observe(values) {
      for (const value of values) {
        if (value < min) min = value;
        if (value > max) max = value;
      }
    },
    range: () => ({ min, max }),
  };
}
