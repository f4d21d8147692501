/** The smallest and the largest value of all. */
import type { Calibrator } from "./calibrator.ts";

/** See the file's header. */
export function minMax(): Calibrator {
  let [min, max] = [0, 0];
  return {
    sees: "ends",
    observe(values) {
      // In variables of its own: the engine keeps these in registers, but not those that closures share.
      let [low, high] = [min, max];
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      [min, max] = [low, high];
    },
    range: () => ({ min, max }),
  };
}
