import * as v from "valibot";
import type { Calibrator } from "./calibrator.ts";
import { minMax } from "./min-max.ts";

/** Which calibrator, and its knobs. */
export const CalibratorSchema = v.picklist(["min-max"]);

/** Which calibrator, and its knobs. */
export type CalibratorSpec = v.InferOutput<typeof CalibratorSchema>;

const CALIBRATORS: { readonly [Name in CalibratorSpec]: () => Calibrator } = { "min-max": minMax };

/** A fresh calibrator. */
export function createCalibrator(spec: CalibratorSpec): Calibrator {
  return CALIBRATORS[spec]();
}
