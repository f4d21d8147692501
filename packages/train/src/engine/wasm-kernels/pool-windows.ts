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

/** @param inOne - Windows that lie within the image's width are visited a row at once, otherwise one by one. */
export function visitWindows(info: backend_util.Conv2DInfo, inOne: boolean, visit: VisitWindows): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth } = info;
  const { strideHeight, strideWidth, filterHeight, filterWidth } = info;
  const { top, left } = info.padInfo;
  // Those from `first` to before `end` lie within.
  const first = Math.min(outWidth, Math.ceil(left / strideWidth));
  const end = Math.min(outWidth, Math.floor((inWidth - filterWidth + left) / strideWidth) + 1);
  const inRow = inOne ? end - first : 1;
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
