/**
 * Gradient of max pooling: each window hands its gradient to the first of its largest inputs, in reading order.
 *
 * Four channels at a time where they lie, the rest one by one; the stock kernel first builds a tensor of positions.
 */
import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import type { ConvolutionAttributes } from "./geometry.ts";
import { type GradientKernel, heapViews, type KernelCall } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterSize: [number, number] | number };

export const maxPool: GradientKernel = {
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
    const vectors = channels - (channels % 4);
    out.fill(0);

    for (let n = 0; n < batch; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        const startY = Math.max(0, oy * strideHeight - top);
        const endY = Math.min(height, oy * strideHeight - top + filterHeight);
        for (let ox = 0; ox < outWidth; ox++) {
          const startX = Math.max(0, ox * strideWidth - left);
          const endX = Math.min(width, ox * strideWidth - left + filterWidth);
          const from = ((n * outHeight + oy) * outWidth + ox) * channels;
          const corner = ((n * height + startY) * width + startX) * channels * 4;
          loops.windowMaxima(
            x.byteOffset + corner,
            out.byteOffset + corner,
            dy.byteOffset + from * 4,
            width * channels * 4,
            channels * 4,
            endY - startY,
            endX - startX,
            vectors,
          );
          for (let c = vectors; c < channels; c++) {
            let best = -1;
            let largest = Number.NEGATIVE_INFINITY;
            for (let y = startY; y < endY; y++) {
              let at = ((n * height + y) * width + startX) * channels + c;
              for (let column = startX; column < endX; column++, at += channels) {
                if (x[at]! > largest) {
                  largest = x[at]!;
                  best = at;
                }
              }
            }
            if (best >= 0) out[best]! += dy[from + c]!;
          }
        }
      }
    }
    return output;
  },
};
