/**
 * Gradient of a convolution with respect to its filter:
 *
 *   dF[i, j, c, k] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, k]
 *
 * For each row i of the filter that is a product A^T B of pixels as they lie within the image's frame: those that the row covers
 * follow one another, so j and c are one index. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { frameOf } from "./frame.ts";
import { type ConvolutionAttributes, convolutionGeometry, within } from "./geometry.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

/** Bytes of images and gradients that stay near while all of the filter is gone through. */
const NEAR = 2 ** 14;

export const conv2dFilter: WasmKernel = {
  name: "Conv2DBackpropFilter",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { x, dy } = inputs as { readonly x: TensorInfo; readonly dy: TensorInfo };
    const info = convolutionGeometry(x.shape, attrs.filterShape, attrs, false);
    const output = backend.makeOutput([...attrs.filterShape], "float32");
    backend.typedArrayFromHeap(output).fill(0);
    const [images, gradients, to] = addressesOf(backend, [x, dy, output]);
    const frame = frameOf(backend, images, info);
    const { batchSize, inChannels, outChannels: filters, outHeight, outWidth, filterHeight, filterWidth } = info;
    const { inHeight, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
    const rowOfDy = outWidth * filters * 4;
    const lines = Math.max(1, Math.floor(NEAR / (strideHeight * frame.row + rowOfDy)));
    // Pixels that a row of the filter covers are one stretch, unless some lie between them.
    const [stretches, pixels] = dilationWidth === 1 ? [1, filterWidth] : [filterWidth, 1];
    const loops = loopsOf(backend);

    for (let n = 0; n < batchSize; n++) {
      const image = frame.imageAt(n);
      for (let y = 0; y < outHeight; y += lines) {
        for (let i = 0; i < filterHeight; i++) {
          // Rows of the output for which this one of the filter lies in the image.
          const shift = i * dilationHeight - info.padInfo.top;
          const [first, last] = within(shift, strideHeight, inHeight, outHeight);
          const [from, end] = [Math.max(y, first), Math.min(y + lines, last)];
          if (from >= end) continue;
          for (let j = 0; j < stretches; j++) {
            loops.outerSums(
              image + (from * strideHeight + shift) * frame.row + j * dilationWidth * frame.pixel,
              strideWidth * frame.pixel,
              strideHeight * frame.row,
              pixels * inChannels,
              gradients + (n * outHeight + from) * rowOfDy,
              filters * 4,
              filters,
              to + (i * filterWidth + j) * inChannels * filters * 4,
              outWidth,
              end - from,
            );
          }
        }
      }
    }
    frame.dispose();
    return output;
  },
};
