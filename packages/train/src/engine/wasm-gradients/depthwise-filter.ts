/**
 * Gradient of a depthwise convolution with respect to its filter:
 *
 *   dF[i, j, c, m] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, c M + m]
 *
 * Every tap sums, along each row of the image, the products of two rows of pixels as they lie on the heap: there is nothing to
 * reuse between channels, so composing it of other kernels only moves memory about. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { type ConvolutionAttributes, convolutionGeometry } from "./geometry.ts";
import { type GradientKernel, heapViews, type KernelCall } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

export const depthwiseFilter: GradientKernel = {
  name: "DepthwiseConv2dNativeBackpropFilter",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { x: input, dy: gradient } = inputs as { x: TensorInfo; dy: TensorInfo };
    const info = convolutionGeometry(input.shape, attrs.filterShape, attrs, true);
    const { output, out, views } = heapViews(backend, attrs.filterShape, { x: input, dy: gradient });
    const { x, dy } = views;
    const loops = loopsOf(backend);
    const [batch, height, width, channels] = input.shape as [number, number, number, number];
    const [kernelHeight, kernelWidth, , multiplier] = attrs.filterShape as [number, number, number, number];
    const { outHeight, outWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
    const { top, left } = info.padInfo;
    const outputs = channels * multiplier;
    out.fill(0);

    for (let n = 0; n < batch; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        for (let i = 0; i < kernelHeight; i++) {
          const y = oy * strideHeight - top + i * dilationHeight;
          if (y < 0 || y >= height) continue;
          const rowOfX = x.byteOffset + (n * height + y) * width * channels * 4;
          const rowOfDy = dy.byteOffset + (n * outHeight + oy) * outWidth * outputs * 4;
          for (let j = 0; j < kernelWidth; j++) {
            const shift = j * dilationWidth - left;
            const first = Math.max(0, Math.ceil(-shift / strideWidth));
            const end = Math.min(outWidth, Math.floor((width - 1 - shift) / strideWidth) + 1);
            const tap = (i * kernelWidth + j) * outputs;
            if (multiplier === 1 && end > first) {
              loops.dotColumns(
                rowOfX + (first * strideWidth + shift) * channels * 4,
                strideWidth * channels * 4,
                rowOfDy + first * outputs * 4,
                outputs * 4,
                out.byteOffset + tap * 4,
                end - first,
                channels,
              );
              continue;
            }
            for (let ox = first; ox < end; ox++) {
              const pixel = ((n * height + y) * width + ox * strideWidth + shift) * channels;
              const from = ((n * outHeight + oy) * outWidth + ox) * outputs;
              for (let o = 0; o < outputs; o++) out[tap + o]! += x[pixel + ((o / multiplier) | 0)]! * dy[from + o]!;
            }
          }
        }
      }
    }
    return output;
  },
};
