/**
 * Gradient of a depthwise convolution with respect to its input: a depthwise convolution of dY (spread by the stride) with
 * the filter turned by 180 degrees. With a depth multiplier m, the m outputs of a channel add up.
 */
import { depthwiseConv2d, reshape, reverse, sum, type Tensor4D, tidy, zeros } from "@tensorflow/tfjs-core";
import { type ConvolutionAttributes, convolutionGeometry, gradientFrame } from "./geometry.ts";
import type { KernelCall, WasmKernel } from "./kernel.ts";

export const depthwiseInput: WasmKernel = {
  name: "DepthwiseConv2dNativeBackpropInput",
  run({ inputs, attrs, backend }: KernelCall<ConvolutionAttributes & { readonly inputShape: number[] }>) {
    const { dy, filter } = inputs as unknown as { readonly dy: Tensor4D; readonly filter: Tensor4D };
    const { inputShape, ...rest } = attrs;
    return tidy(() => {
      const info = convolutionGeometry(inputShape, filter.shape, rest, true);
      const [kh, kw, channels, multiplier] = filter.shape;
      const turned = reshape(reverse(filter, [0, 1]), [kh, kw, channels * multiplier, 1]) as Tensor4D;
      const dilation: [number, number] = [info.dilationHeight, info.dilationWidth];
      const framed = gradientFrame(backend, dy, info);
      if (!framed) return zeros(inputShape);
      const { frame, padding } = framed;
      const gradient = depthwiseConv2d(frame, turned, 1, padding, "NHWC", dilation);
      if (multiplier === 1) return gradient;
      return sum(reshape(gradient, [...inputShape.slice(0, 3), channels, multiplier]), -1);
    });
  },
};
