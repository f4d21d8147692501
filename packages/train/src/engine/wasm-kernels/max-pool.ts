/**
 * Gradient of max pooling: each window hands its gradient to the first of its largest inputs, in reading order.
 *
 * Four channels at a time where they lie, the rest one by one; the stock kernel first builds a tensor of positions.
 */
import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { loopsOf } from "../simd/loops.ts";
import type { ConvolutionAttributes } from "./geometry.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & {
  readonly filterSize: [number, number] | number;
  /** The input is what a rectifier gave, and the gradient that of the rectifier's input: see ../replay/fuse-kernels.ts. */
  readonly rectified?: boolean;
};

export const maxPool: WasmKernel = {
  name: "MaxPoolGrad",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { dy: gradient, input } = inputs as { dy: TensorInfo; input: TensorInfo };
    const shape = input.shape as [number, number, number, number];
    const info = backend_util.computePool2DInfo(
      shape,
      attrs.filterSize,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
    );
    const { output, out, views } = heapViews(backend, shape, { x: input, dy: gradient });
    const { x, dy } = views;
    const [batch, height, width, channels] = shape;
    const { outHeight, outWidth, strideHeight, strideWidth, filterHeight, filterWidth } = info;
    const { top, left } = info.padInfo;
    const loops = loopsOf(backend);
    const least = attrs.rectified ? BITS.tiniest : BITS.minusInfinity;
    const pixel = channels * 4;
    const row = width * pixel;
    const step = strideWidth * pixel;
    const vectors = channels - (channels % 4);
    // Windows from `first` to before `end` lie within the image's width: a row of them is one call, unless channels are left over.
    const first = Math.min(outWidth, Math.ceil(left / strideWidth));
    const end = Math.min(outWidth, Math.floor((width - filterWidth + left) / strideWidth) + 1);
    const inRow = vectors === channels ? end - first : 1;
    const areApart = strideHeight >= filterHeight && strideWidth >= filterWidth;
    const areTwo = [filterHeight, filterWidth, strideHeight, strideWidth].every((size) => size === 2);
    const isCovered = areTwo && top === 0 && left === 0 && height === 2 * outHeight && width === 2 * outWidth;
    // What is written once, by windows that lie apart and cover everything, need not be zero before.
    if (!isCovered || vectors < channels) out.fill(0);
    const [xAt, outAt, dyAt] = [x.byteOffset, out.byteOffset, dy.byteOffset] as const;

    for (let n = 0; n < batch; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        const startY = Math.max(0, oy * strideHeight - top);
        // A window may lie in the padding alone.
        const tall = Math.max(0, Math.min(height, oy * strideHeight - top + filterHeight) - startY);
        for (let ox = 0, windows = 1; ox < outWidth; ox += windows) {
          windows = ox === first && inRow > 1 ? inRow : 1;
          const startX = Math.max(0, ox * strideWidth - left);
          const wide = Math.max(0, Math.min(width, ox * strideWidth - left + filterWidth) - startX);
          const corner = ((n * height + startY) * width + startX) * channels;
          const from = ((n * outHeight + oy) * outWidth + ox) * channels;
          const [a, b, d] = [xAt + corner * 4, outAt + corner * 4, dyAt + from * 4] as const;
          if (areApart && tall === 2 && wide === 2) {
            loops.squareMaxima(a, b, d, row, pixel, step, windows, vectors, least);
          } else loops.windowMaxima(a, b, d, row, pixel, step, windows, vectors, least, tall, wide);
          for (let c = vectors; c < channels; c++) {
            let best = -1;
            let largest = Number.NEGATIVE_INFINITY;
            for (let y = 0; y < tall; y++) {
              let at = corner + y * width * channels + c;
              for (let column = 0; column < wide; column++, at += channels) {
                if (x[at]! > largest) {
                  largest = x[at]!;
                  best = at;
                }
              }
            }
            if (best >= 0 && !(attrs.rectified && largest <= 0)) out[best]! += dy[from + c]!;
          }
        }
      }
    }
    return output;
  },
};
