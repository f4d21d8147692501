/**
 * The affine map between floats and integers: real = scale (q - zero).
 *
 * Jacob et al. 2018 (arXiv 1712.05877), section 2.1; rounding to nearest, ties to even, as ONNX' QuantizeLinear does.
 */

/** A range of values; calibrated ones always have zero in them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Integer types of activations. */
export type ActivationType = "uint8" | "uint16";

/** The largest integer of each. */
export const LARGEST: { readonly [Type in ActivationType]: number } = { uint8: 255, uint16: 65_535 };

/** Scale and zero point of unsigned integers. */
export interface Affine {
  readonly scale: number;
  readonly zero: number;
}

/** Scales below this count as none: the product of two must stay a normal float32. */
export const LEAST_SCALE: number = 2 ** -60;

/** Parameters that cover a range. Zero is represented exactly; a range from 0 gets zero point 0. */
export function affineFor({ min, max }: Range, type: ActivationType = "uint8"): Affine {
  const [low, high, largest] = [Math.min(0, min), Math.max(0, max), LARGEST[type]];
  const scale = Math.fround((high - low) / largest);
  if (scale < LEAST_SCALE) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(largest, Math.max(0, roundEven(-low / scale))) };
}

/** Rounds to the nearest integer, ties to the even one. */
export function roundEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
