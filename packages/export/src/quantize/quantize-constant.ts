/**
 * Constants as integers, in front of a DequantizeLinear:
 *
 *   weight   w_q = round(w / s_w), int8, s_w = max |w| / limit, a scale an output channel or one a tensor
 *   bias     b_q = round(b / (s_x s_w)), int32, no zero point: the scale of the sums that it is added to
 *   operand  of an Add or Concat: like an activation whose range is known
 *
 * Where a channel's weights are so small that its bias would leave int32, s_w grows until it fits: the bias is exact to 2^-30 of
 * itself and the weights lose what the sum could not have shown. A channel of zeros keeps its bias this way.
 */
import type { Tensor } from "../graph.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { type ActivationType, type Affine, affineFor, LARGEST, LEAST_SCALE, roundEven } from "./affine.ts";
import { integerTensor } from "./draft.ts";

/** Integers and their scales. */
export interface Scaled {
  readonly integers: Tensor;
  /** One, or one a channel. */
  readonly scales: Float32Array;
}

/** Scales of a weight from its largest magnitudes, wide enough for the bias. */
export function weightScales(
  weight: Tensor,
  options: {
    readonly axis: number;
    readonly perChannel: boolean;
    readonly limit: number;
    readonly bias?: Tensor | undefined;
    readonly inputScale?: number;
  },
): Float32Array {
  const { axis, perChannel, limit, bias, inputScale = 1 } = options;
  const [channels, inner] = layoutOf(weight, axis);
  const least = new Float64Array(channels);
  const values = floatsOf(weight);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / inner) % channels;
    least[channel] = Math.max(least[channel]!, Math.abs(values[i]!) / limit);
  }
  if (bias !== undefined) {
    for (const [channel, value] of floatsOf(bias).entries())
      least[channel] = Math.max(least[channel]!, Math.abs(value) / inputScale / 2 ** 30);
  }
  const scales = perChannel ? least : [least.reduce((most, value) => Math.max(most, value), 0)];
  return Float32Array.from(scales, (scale) => (Math.fround(scale) < LEAST_SCALE ? LEAST_SCALE : scale));
}

/** Rounds a weight to integers of these scales. */
export function quantizeWeight(weight: Tensor, scales: Float32Array, axis: number, limit: number): Scaled {
  const [channels, inner] = layoutOf(weight, axis);
  const scaleAt = (i: number): number => scales[scales.length === 1 ? 0 : Math.floor(i / inner) % channels]!;
  const integers = floatsOf(weight).map((value, i) => clamp(roundEven(value / scaleAt(i)), -limit, limit));
  return { integers: integerTensor(integers, weight.shape, "int8"), scales };
}

/** Rounds a bias to integers in the scale of the sums that it is added to. */
export function quantizeBias(bias: Tensor, inputScale: number, weightScales: Float32Array): Scaled {
  const scales = weightScales.map((scale) => scale * inputScale);
  const values = Float64Array.from(floatsOf(bias), (value, i) =>
    roundEven(value / scales[scales.length === 1 ? 0 : i]!),
  );
  const integers = values.map((value) => clamp(value, -(2 ** 31 - 1), 2 ** 31 - 1));
  return { integers: integerTensor(integers, [integers.length], "int32"), scales };
}

/** Rounds a constant operand to integers over its own range. */
export function quantizeOperand(
  operand: Tensor,
  type: ActivationType,
): { readonly integers: Tensor; readonly affine: Affine } {
  const floats = floatsOf(operand);
  const range = floats.reduce(({ min, max }, value) => ({ min: Math.min(min, value), max: Math.max(max, value) }), {
    min: 0,
    max: 0,
  });
  const affine = affineFor(range, type);
  const integers = floats.map((value) => clamp(roundEven(value / affine.scale) + affine.zero, 0, LARGEST[type]));
  return { integers: integerTensor(integers, operand.shape, type), affine };
}

/** Scales as a constant: a scalar, or one a channel. */
export function scaleTensor(scales: Float32Array): Tensor {
  return floatTensor(scales, scales.length === 1 ? [] : [scales.length]);
}

function layoutOf({ shape }: Tensor, axis: number): readonly [channels: number, inner: number] {
  return [shape[axis]!, shape.slice(axis + 1).reduce((product, size) => product * size, 1)];
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
