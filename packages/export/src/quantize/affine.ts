/**
 * The affine map between floats and integers: real = scale (q - zero).
 *
 * Jacob et al. 2018 (arXiv 1712.05877), section 2.1; rounding to nearest, ties to even, as ONNX' QuantizeLinear does.
 */
import type { Range } from "./ranges.ts";

/** Scale and zero point of uint8 values. */
export interface AffineParameters {
  readonly scale: number;
  readonly zero: number;
}

/** Parameters for uint8 that cover a range. Zero is represented exactly; a range from 0 gets zero point 0. */
export function affineFor({ min, max }: Range): AffineParameters {
  const low = Math.min(0, min);
  const high = Math.max(0, max);
  const scale = Math.fround((high - low) / 255) || 1;
  return { scale, zero: Math.min(255, Math.max(0, roundEven(-low / scale))) };
}

/** Parameters for a weight that is stored symmetrically in int8: the scale alone. */
export function symmetricScale(values: Float32Array): number {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Math.fround(largest / 127) || 1;
}

/** Rounds to the nearest integer, ties to the even one. */
export function roundEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
