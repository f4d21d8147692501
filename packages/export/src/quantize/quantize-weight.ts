/**
 * Weights in int8, symmetric, and the bias in int32 with the scale of its sums:
 *
 *   w_q = round(w / s_w),  s_w = max |w| / limit,  a scale an output channel or one a tensor
 *   b_q = round(b / (s_x s_w)),  no zero point
 *
 * Where a channel's weights are so small that its bias would leave int32, s_w grows until it fits: the bias is exact to 2^-30 of
 * itself and the weights lose what the sum could not have shown. A channel of zeros keeps its bias this way.
 */
import type { Tensor } from "../graph.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { LEAST_SCALE, roundEven } from "./affine.ts";

/** How one weight is cut: `channels` slices along an axis with `inner` values behind it. */
interface Layout {
  readonly channels: number;
  readonly inner: number;
}

/** The integers of a weight and their scales. */
export interface QuantizedWeight {
  readonly weight: Tensor;
  /** One, or one a channel. */
  readonly scales: Tensor;
}

/** Scales from the largest magnitudes, wide enough for the bias. */
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
  const { channels, inner } = layoutOf(weight, axis);
  const largest = new Float64Array(channels);
  for (const [i, value] of floatsOf(weight).entries()) {
    const channel = Math.floor(i / inner) % channels;
    largest[channel] = Math.max(largest[channel]!, Math.abs(value) / limit);
  }
  if (bias !== undefined) {
    for (const [channel, value] of floatsOf(bias).entries())
      largest[channel] = Math.max(largest[channel]!, Math.abs(value) / inputScale / 2 ** 30);
  }
  const scales = perChannel ? largest : [largest.reduce((most, value) => Math.max(most, value), 0)];
  return Float32Array.from(scales, (scale) => (Math.fround(scale) < LEAST_SCALE ? LEAST_SCALE : scale));
}

/** Rounds a weight to integers of these scales. */
export function quantizeWeight(weight: Tensor, scales: Float32Array, axis: number, limit: number): QuantizedWeight {
  const { channels, inner } = layoutOf(weight, axis);
  const integers = Int8Array.from(floatsOf(weight), (value, i) =>
    clamp(roundEven(value / scales[scales.length === 1 ? 0 : Math.floor(i / inner) % channels]!), limit),
  );
  return {
    weight: { dtype: "int8", shape: weight.shape, bytes: new Uint8Array(integers.buffer) },
    scales: floatTensor(scales, scales.length === 1 ? [] : [scales.length]),
  };
}

/** Rounds a bias to integers in the scale of the sums it is added to. */
export function quantizeBias(bias: Tensor, inputScale: number, weightScales: Float32Array): QuantizedWeight {
  const scales = weightScales.map((scale) => scale * inputScale);
  const integers = Int32Array.from(floatsOf(bias), (value, i) =>
    clamp(roundEven(value / scales[scales.length === 1 ? 0 : i]!), 2 ** 31 - 1),
  );
  return {
    weight: { dtype: "int32", shape: [integers.length], bytes: new Uint8Array(integers.buffer) },
    scales: floatTensor(scales, scales.length === 1 ? [] : [scales.length]),
  };
}

function layoutOf({ shape }: Tensor, axis: number): Layout {
  return { channels: shape[axis]!, inner: shape.slice(axis + 1).reduce((product, size) => product * size, 1) };
}

function clamp(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
