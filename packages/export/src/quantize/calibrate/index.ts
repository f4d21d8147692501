import * as v from "valibot";
import { type ActivationType, LARGEST } from "../affine.ts";
import type { Calibrator } from "./calibrator.ts";
import { leastDivergence } from "./entropy.ts";
import { minMax } from "./min-max.ts";
import { movingAverage } from "./moving-average.ts";
import { leastSquares } from "./mse.ts";
import { percentile } from "./percentile.ts";

/** Bins of a histogram: at least half of them are in use. */
const bins = v.optional(v.pipe(v.number(), v.integer(), v.minValue(512), v.maxValue(1 << 20)), 4096);

const Spec = v.variant("kind", [
  v.strictObject({ kind: v.literal("min-max") }),
  v.strictObject({
    kind: v.literal("moving-average"),
    momentum: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.99),
  }),
  v.strictObject({
    kind: v.literal("percentile"),
    /** How many per cent of the values the range covers at least. */
    percent: v.optional(v.pipe(v.number(), v.minValue(50), v.maxValue(100)), 99.99),
    bins,
  }),
  v.strictObject({ kind: v.literal("entropy"), bins }),
  v.strictObject({ kind: v.literal("mse"), bins }),
  /** A range that is known already, such as one that training has learnt. */
  v.strictObject({
    kind: v.literal("given"),
    min: v.pipe(v.number(), v.finite()),
    max: v.pipe(v.number(), v.finite()),
  }),
]);

/** The calibrators by name. */
export const CALIBRATORS = ["min-max", "moving-average", "percentile", "entropy", "mse"] as const;

/** A calibrator by its name, or with its knobs. */
export const CalibratorSchema = v.union([
  v.pipe(
    v.picklist(CALIBRATORS),
    v.transform((kind) => v.parse(Spec, { kind })),
  ),
  Spec,
]);

/** Which calibrator, and its knobs. */
export type CalibratorSpec = v.InferOutput<typeof Spec>;

/** A fresh calibrator for a tensor of this type. */
export function createCalibrator(spec: CalibratorSpec, type: ActivationType): Calibrator {
  switch (spec.kind) {
    case "min-max":
      return minMax();
    case "moving-average":
      return movingAverage(spec.momentum);
    case "percentile":
      return percentile(spec.percent, spec.bins);
    case "entropy":
      return leastDivergence(Math.min(LARGEST[type] + 1, spec.bins / 4), spec.bins);
    case "given":
      return {
        sees: "ends",
        observe: () => undefined,
        range: () => ({ min: Math.min(0, spec.min), max: Math.max(0, spec.max) }),
      };
    case "mse":
      return leastSquares(LARGEST[type], spec.bins);
  }
}
