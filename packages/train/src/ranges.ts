/** Numbers of the configuration, within their ranges. */
import * as v from "valibot";

/** A whole number from `minimum` to `maximum`. */
export const whole = (minimum: number, maximum: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum));

/** A finite number from `minimum` to `maximum`. */
export const real = (minimum: number, maximum: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.finite(), v.minValue(minimum), v.maxValue(maximum));
