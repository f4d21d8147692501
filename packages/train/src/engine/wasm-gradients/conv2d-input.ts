/**
 * Gradient of a convolution with respect to its input, as a convolution of dY (zeros put between its pixels for the stride)
 * with the filter turned by 180 degrees and its channels swapped:
 *
 *   dX[n, y, x, c] = sum over i, j, k of  dY'[n, y + p - d i, x + p - d j, k] F[i, j, c, k]
 *
 * The stock kernel is a scalar loop; this one is the backend's fast forward kernel.
 */
import { conv2d, matMul, reshape, reverse, type Tensor2D, type Tensor4D, tidy, transpose } from "@tensorflow/tfjs-core";
import { type ConvolutionAttributes, convolutionGeometry, gradientFrame } from "./geometry.ts";
import type { GradientKernel } from "./kernel.ts";

export const conv2dInput: GradientKernel = {
  name: "Conv2DBackpropInput",
  run({ inputs, attrs }: { inputs: unknown; attrs: unknown }) {
    const { dy, filter } = inputs as { readonly dy: Tensor4D; readonly filter: Tensor4D };
    const { inputShape, ...rest } = attrs as ConvolutionAttributes & { readonly inputShape: number[] };
    return tidy(() => {
      const info = convolutionGeometry(inputShape, filter.shape, rest, false);
      const [kh, kw, channels, filters] = filter.shape;
      const pixels = dy.size / filters;
      if (kh === 1 && kw === 1 && pixels * channels === inputShape.reduce((a, b) => a * b) && info.strideHeight === 1) {
        const right = transpose(reshape(filter, [channels, filters]) as Tensor2D);
        return reshape(matMul(reshape(dy, [pixels, filters]), right), inputShape);
      }
      const turned = transpose(reverse(filter, [0, 1]), [0, 1, 3, 2]);
      return conv2d(gradientFrame(dy, info), turned, 1, "valid", "NHWC", [info.dilationHeight, info.dilationWidth]);
    });
  },
};
