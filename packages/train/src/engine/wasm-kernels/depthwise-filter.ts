/**
 * Gradient of a depthwise convolution with respect to its filter:
 *
 *   dF[i, j, c, m] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, c M + m]
 *
 * Every tap sums, over the rows of an image that it reaches, the products of pixels as they lie on the heap: there is nothing to
 * reuse between channels, so composing it of other kernels only moves memory about. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { type ConvolutionAttributes, convolutionGeometry, within } from "./geometry.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

export const depthwiseFilter: WasmKernel = {
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
      for (let i = 0; i < kernelHeight; i++) {
        const down = i * dilationHeight - top;
        const [firstRow, endRow] = within(down, strideHeight, height, outHeight);
        for (let j = 0; j < kernelWidth; j++) {
          const along = j * dilationWidth - left;
          const [first, end] = within(along, strideWidth, width, outWidth);
          if (firstRow >= endRow || first >= end) continue;
          const tap = (i * kernelWidth + j) * outputs;
          if (multiplier === 1) {
            const pixel = (n * height + firstRow * strideHeight + down) * width + first * strideWidth + along;
            loops.dotColumns(
              x.byteOffset + pixel * channels * 4,
              strideWidth * channels * 4,
              strideHeight * width * channels * 4,
              dy.byteOffset + ((n * outHeight + firstRow) * outWidth + first) * channels * 4,
              channels * 4,
              outWidth * channels * 4,
              out.byteOffset + tap * 4,
              end - first,
              endRow - firstRow,
              channels,
            );
            continue;
          }
          for (let oy = firstRow; oy < endRow; oy++) {
            for (let ox = first; ox < end; ox++) {
              const pixel = ((n * height + oy * strideHeight + down) * width + ox * strideWidth + along) * channels;
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
