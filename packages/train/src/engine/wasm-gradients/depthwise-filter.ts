/**
 * Gradient of a depthwise convolution with respect to its filter:
 *
 *   dF[i, j, c, m] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, c M + m]
 *
 * A plain loop over the heap, channels innermost: there is nothing to reuse between channels, so composing it of other
 * kernels only moves memory about. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
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
          for (let ox = 0; ox < outWidth; ox++) {
            const from = ((n * outHeight + oy) * outWidth + ox) * outputs;
            for (let j = 0; j < kernelWidth; j++) {
              const at = ox * strideWidth - left + j * dilationWidth;
              if (at < 0 || at >= width) continue;
              const pixel = ((n * height + y) * width + at) * channels;
              const tap = (i * kernelWidth + j) * outputs;
              if (multiplier === 1) {
                for (let c = 0; c < channels; c++) out[tap + c]! += x[pixel + c]! * dy[from + c]!;
              } else {
                for (let o = 0; o < outputs; o++) out[tap + o]! += x[pixel + ((o / multiplier) | 0)]! * dy[from + o]!;
              }
            }
          }
        }
      }
    }
    return output;
  },
};
