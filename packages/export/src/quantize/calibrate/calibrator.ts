import type { Range } from "../affine.ts";

/** Watches the values of one tensor and says at the end which range its integers should cover. Keeps a bounded state. */
export interface Calibrator {
  /** `ends`: the smallest and the largest value of a batch are enough. */
  readonly sees: "values" | "ends";
  /** Values of one batch, all finite; `samples` says how many samples they are of. */
  observe(values: Float32Array, samples: number): void;
  /** Always with zero in it. */
  range(): Range;
}
