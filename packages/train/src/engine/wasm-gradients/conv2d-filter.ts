/**
 * Gradient of a convolution with respect to its filter, as a convolution:
 *
 *   dF[i, j, c, k] = sum over n, y, x of  X[n, s y + d i, s x + d j, c] dY[n, y, x, k]
 *
 * Seen with channels as batch and batch as channels, this is X^T [c, h, w, n] convolved with dY^T [y, x, n, k], stride d and
 * dilation s; so the backend's fast forward kernel does the work. A 1x1 filter at stride 1 is one matrix product.
 */
import { conv2d, matMul, reshape, type Tensor2D, type Tensor4D, tidy, transpose } from "@tensorflow/tfjs-core";
import { type ConvolutionAttributes, convolutionGeometry, coveredInput } from "./geometry.ts";
import type { GradientKernel } from "./kernel.ts";

export const conv2dFilter: GradientKernel = {
  name: "Conv2DBackpropFilter",
  run({ inputs, attrs }: { inputs: unknown; attrs: unknown }) {
    const { x, dy } = inputs as { readonly x: Tensor4D; readonly dy: Tensor4D };
    const { filterShape, ...rest } = attrs as ConvolutionAttributes & { readonly filterShape: number[] };
    return tidy(() => {
      const info = convolutionGeometry(x.shape, filterShape, rest, false);
      const [kh, kw, channels, filters] = filterShape as [number, number, number, number];
      const covered = coveredInput(x, info);
      if (kh === 1 && kw === 1 && info.strideHeight === 1 && info.strideWidth === 1) {
        const pixels = covered.size / channels;
        const left = transpose(reshape(covered, [pixels, channels]) as Tensor2D);
        return reshape(matMul(left, reshape(dy, [pixels, filters])), filterShape);
      }
      const swapped = conv2d(
        transpose(covered, [3, 1, 2, 0]),
        transpose(dy, [1, 2, 0, 3]),
        [info.dilationHeight, info.dilationWidth],
        "valid",
        "NHWC",
        // tfjs refuses stride and dilation together, which a dilated, strided convolution would need; it refuses that one too.
        info.dilationHeight > 1 || info.dilationWidth > 1 ? 1 : [info.strideHeight, info.strideWidth],
      );
      return transpose(swapped, [1, 2, 0, 3]);
    });
  },
};
