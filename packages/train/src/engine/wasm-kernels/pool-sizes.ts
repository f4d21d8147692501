/** Sizes of a pooling, and what the loops leave over: channels that fill no vector. */
import { backend_util } from "@tensorflow/tfjs-core";
import { eachWindow, type PoolSizes } from "../tasks/pool-windows.ts";
import { type ConvolutionAttributes, windowSizes } from "./geometry.ts";

/** The attributes of a pooling as tfjs hands them to kernels. */
export type PoolAttributes = ConvolutionAttributes & { readonly filterSize: [number, number] | number };

/** Sizes, strides and paddings of a pooling, and the shape of what it gives. */
export function poolSizes(
  shape: readonly number[],
  { filterSize, strides, pad, dimRoundingMode }: PoolAttributes,
): { readonly batch: number; readonly outShape: readonly number[]; readonly sizes: PoolSizes } {
  const info = backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const { batchSize: batch, inChannels, outShape } = info;
  return { batch, outShape, sizes: { vectors: inChannels - (inChannels % 4), ...windowSizes(info) } };
}

/** Visits the windows of the channels that are left over, with where the first of their largest values is: -1 where there is none. */
export function visitLeftOver(
  x: Float32Array,
  batch: number,
  sizes: PoolSizes,
  visit: (window: number, largest: number) => void,
): void {
  const { channels, vectors, inHeight, inWidth, outHeight, outWidth } = sizes;
  if (vectors === channels) return;
  const windows = eachWindow(sizes);
  for (let n = 0; n < batch; n++) {
    for (const { corner, first, tall, wide } of windows) {
      const at = (n * inHeight * inWidth + corner) * channels;
      const to = (n * outHeight * outWidth + first) * channels;
      for (let c = vectors; c < channels; c++) visit(to + c, firstLargest(x, at + c, sizes, tall, wide));
    }
  }
}

function firstLargest(
  x: Float32Array,
  corner: number,
  { inWidth, channels }: PoolSizes,
  tall: number,
  wide: number,
): number {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let y = 0; y < tall; y++) {
    let at = corner + y * inWidth * channels;
    for (let column = 0; column < wide; column++, at += channels) {
      if (x[at]! > largest) {
        largest = x[at]!;
        best = at;
      }
    }
  }
  return best;
}
