/** The windows of a pooling over images `[N, H, W, C]`, in reading order. */
import { backend_util } from "@tensorflow/tfjs-core";
import type { ConvolutionAttributes } from "./geometry.ts";

/** The attributes of a pooling as tfjs hands them to kernels. */
export type PoolAttributes = ConvolutionAttributes & { readonly filterSize: [number, number] | number };

/** Sizes, strides and paddings of a pooling. */
export function poolGeometry(shape: readonly number[], attrs: PoolAttributes): backend_util.Conv2DInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  return backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
}

/**
 * Neighbouring windows of one size, and how much of them lies in the image: nothing where they lie in the padding alone.
 *
 * @param corner - Where in the images the first one begins, in floats.
 * @param from - Where in the results that of the first one is, in floats.
 */
export type VisitWindows = (corner: number, from: number, windows: number, tall: number, wide: number) => void;

/** Visits all windows: a row at once of those that lie within the image's width, unless the loops leave some channels over. */
export function visitWindows(info: backend_util.Conv2DInfo, visit: VisitWindows): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth } = info;
  const { strideHeight, strideWidth, filterHeight, filterWidth } = info;
  const { top, left } = info.padInfo;
  // Those from `first` to before `end` lie within.
  const first = Math.min(outWidth, Math.ceil(left / strideWidth));
  const end = Math.min(outWidth, Math.floor((inWidth - filterWidth + left) / strideWidth) + 1);
  const inRow = leftOver(info) === 0 ? end - first : 1;
  for (let n = 0; n < batchSize; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const y = Math.max(0, oy * strideHeight - top);
      const tall = Math.max(0, Math.min(inHeight, oy * strideHeight - top + filterHeight) - y);
      for (let ox = 0, windows = 1; ox < outWidth; ox += windows) {
        windows = ox === first && inRow > 1 ? inRow : 1;
        const x = Math.max(0, ox * strideWidth - left);
        const wide = Math.max(0, Math.min(inWidth, ox * strideWidth - left + filterWidth) - x);
        const corner = ((n * inHeight + y) * inWidth + x) * inChannels;
        visit(corner, ((n * outHeight + oy) * outWidth + ox) * inChannels, windows, tall, wide);
      }
    }
  }
}

/** How the loops go through the images: strides in bytes, and the channels that they do, which are whole vectors. */
export function poolStrides(info: backend_util.Conv2DInfo): {
  readonly row: number;
  readonly pixel: number;
  readonly step: number;
  readonly vectors: number;
} {
  const pixel = info.inChannels * 4;
  return {
    ...{ pixel, row: info.inWidth * pixel, step: info.strideWidth * pixel },
    vectors: info.inChannels - leftOver(info),
  };
}

/** Where the first of the largest values of a window is that begins at a place, for one channel; -1 where none is larger than minus infinity. */
export function firstLargest(
  x: Float32Array,
  corner: number,
  { inWidth, inChannels }: backend_util.Conv2DInfo,
  tall: number,
  wide: number,
): number {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let y = 0; y < tall; y++) {
    let at = corner + y * inWidth * inChannels;
    for (let column = 0; column < wide; column++, at += inChannels) {
      if (x[at]! > largest) {
        largest = x[at]!;
        best = at;
      }
    }
  }
  return best;
}

function leftOver({ inChannels }: backend_util.Conv2DInfo): number {
  return inChannels % 4;
}
