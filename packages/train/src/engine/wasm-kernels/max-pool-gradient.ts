/**
 * Gradient of max pooling: each window hands its gradient to the first of its largest inputs, in reading order.
 *
 * Four channels at a time where they lie, the rest one by one; the stock kernel first builds a tensor of positions.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { loopsOf } from "../simd/loops.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";
import { firstLargest, type PoolAttributes, poolGeometry, poolStrides, visitWindows } from "./pool-windows.ts";

type Attributes = PoolAttributes & {
  /** The input is what a rectifier gave, and the gradient that of the rectifier's input: see ../replay/fuse-kernels.ts. */
  readonly rectified?: boolean;
};

export const maxPoolGradient: WasmKernel = {
  name: "MaxPoolGrad",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { dy: gradient, input } = inputs as { dy: TensorInfo; input: TensorInfo };
    const info = poolGeometry(input.shape, attrs);
    const { output, out, views } = heapViews(backend, input.shape, { x: input, dy: gradient });
    const { x, dy } = views;
    const { inHeight, inWidth, inChannels: channels, outHeight, outWidth } = info;
    const { strideHeight, strideWidth, filterHeight, filterWidth, padInfo } = info;
    const loops = loopsOf(backend);
    const least = attrs.rectified ? BITS.tiniest : BITS.minusInfinity;
    const { row, pixel, step, vectors } = poolStrides(info);
    const areApart = strideHeight >= filterHeight && strideWidth >= filterWidth;
    const areTwo = [filterHeight, filterWidth, strideHeight, strideWidth].every((size) => size === 2);
    const isUnpadded = padInfo.top === 0 && padInfo.left === 0;
    const isCovered = areTwo && isUnpadded && inHeight === 2 * outHeight && inWidth === 2 * outWidth;
    // What is written once, by windows that lie apart and cover everything, need not be zero before.
    if (!isCovered || vectors < channels) out.fill(0);
    const [xAt, outAt, dyAt] = [x.byteOffset, out.byteOffset, dy.byteOffset];

    visitWindows(info, (corner, from, windows, tall, wide) => {
      const [a, b, d] = [xAt + corner * 4, outAt + corner * 4, dyAt + from * 4];
      if (areApart && tall === 2 && wide === 2) {
        loops.squareMaxima(a, b, d, row, pixel, step, windows, vectors, least);
      } else loops.windowMaxima(a, b, d, row, pixel, step, windows, vectors, least, tall, wide);
      for (let c = vectors; c < channels; c++) {
        const best = firstLargest(x, corner + c, info, tall, wide);
        if (best >= 0 && !(attrs.rectified && x[best]! <= 0)) out[best]! += dy[from + c]!;
      }
    });
    return output;
  },
};
