/**
 * Gradient of a convolution with respect to its filter:
 *
 *   dF[i, j, c, k] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, k]
 *
 * For each tap (i, j) and each row of the image that is a product A^T B of pixels as they lie on the heap: nothing is padded,
 * unfolded or transposed. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { type ConvolutionAttributes, convolutionGeometry } from "./geometry.ts";
import { type GradientKernel, heapViews, type KernelCall } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

export const conv2dFilter: GradientKernel = {
  name: "Conv2DBackpropFilter",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { x: input, dy: gradient } = inputs as { x: TensorInfo; dy: TensorInfo };
    const info = convolutionGeometry(input.shape, attrs.filterShape, attrs, false);
    const { output, out, views } = heapViews(backend, attrs.filterShape, { x: input, dy: gradient });
    const [x, dy] = [views.x.byteOffset, views.dy.byteOffset];
    const [batch, height, width, channels] = input.shape as [number, number, number, number];
    const [kernelHeight, kernelWidth, , filters] = attrs.filterShape as [number, number, number, number];
    const { outHeight, outWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
    const { top, left } = info.padInfo;
    const [pixelOfX, pixelOfDy] = [channels * 4, filters * 4];
    const loops = loopsOf(backend);
    out.fill(0);

    for (let n = 0; n < batch; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        for (let i = 0; i < kernelHeight; i++) {
          const y = oy * strideHeight - top + i * dilationHeight;
          if (y < 0 || y >= height) continue;
          for (let j = 0; j < kernelWidth; j++) {
            const shift = j * dilationWidth - left;
            const first = Math.max(0, Math.ceil(-shift / strideWidth));
            const end = Math.min(outWidth, Math.floor((width - 1 - shift) / strideWidth) + 1);
            if (end <= first) continue;
            loops.outerSums(
              x + ((n * height + y) * width + first * strideWidth + shift) * pixelOfX,
              strideWidth * pixelOfX,
              channels,
              dy + ((n * outHeight + oy) * outWidth + first) * pixelOfDy,
              pixelOfDy,
              filters,
              out.byteOffset + (i * kernelWidth + j) * channels * pixelOfDy,
              end - first,
            );
          }
        }
      }
    }
    return output;
  },
};
