/**
 * Gradient of a convolution with respect to its input, as a convolution of dY (zeros put between its pixels for the stride)
 * with the filter turned by 180 degrees and its channels swapped:
 *
 *   dX[n, y, x, c] = sum over i, j, k of  dY'[n, y + p - d i, x + p - d j, k] F[i, j, c, k]
 *
 * The stock kernel is a scalar loop; this one is the forward kernel of conv2d.ts.
 */
import { conv2d, matMul, reshape, type Tensor2D, type Tensor4D, tidy, transpose, zeros } from "@tensorflow/tfjs-core";
import { readsInput } from "../input-filters.ts";
import { byParity } from "./by-parity.ts";
import { type ConvolutionAttributes, convolutionGeometry, gradientFrame } from "./geometry.ts";
import type { KernelCall, WasmKernel } from "./kernel.ts";
import { spread } from "./spread.ts";
import { allTaps, turnedFilter } from "./turned-filter.ts";

export const conv2dInput: WasmKernel = {
  name: "Conv2DBackpropInput",
  run({ inputs, attrs, backend }: KernelCall<ConvolutionAttributes & { readonly inputShape: number[] }>) {
    const { dy, filter } = inputs as unknown as { readonly dy: Tensor4D; readonly filter: Tensor4D };
    const { inputShape, ...rest } = attrs;
    // A tensor must be there; nobody reads it.
    if (readsInput(filter.dataId)) return zeros(inputShape);
    return tidy(() => {
      const info = convolutionGeometry(inputShape, filter.shape, rest, false);
      const [kh, kw, channels, filters] = filter.shape;
      const { inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info;
      if (kh === 1 && kw === 1 && padInfo.top === 0 && padInfo.left === 0) {
        const right = transpose(reshape(filter, [channels, filters]) as Tensor2D);
        const small = matMul(reshape(dy, [dy.size / filters, filters]), right);
        const map = reshape(small, [info.batchSize, outHeight, outWidth, channels]) as Tensor4D;
        const isWhole = outHeight === inHeight && outWidth === inWidth;
        return isWhole ? map : spread(backend, map, [strideHeight, strideWidth], [inHeight, inWidth]);
      }
      if (strideHeight === 2 && strideWidth === 2 && info.dilationHeight === 1 && info.dilationWidth === 1) {
        return byParity(backend, dy, filter, info);
      }
      const turned = turnedFilter(backend, filter, allTaps(filter.shape));
      const framed = gradientFrame(backend, dy, info);
      if (!framed) return zeros(info.inShape);
      const { frame, padding } = framed;
      return conv2d(frame, turned, 1, padding, "NHWC", [info.dilationHeight, info.dilationWidth]);
    });
  },
};
