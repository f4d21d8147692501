/** What kernels of convolutions are called with, and whether the loops do what they are asked for. */
import { DistillateError } from "@distillate/bundle";
import { type backend_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { type ConvolutionAttributes, convolutionGeometry } from "./geometry.ts";
import type { KernelCall } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly activation?: string; readonly dataFormat?: string };

/** The call of an ordinary convolution, or of a depthwise one. */
export type ConvolutionCall = KernelCall<Attributes> & {
  readonly inputs: {
    readonly x: TensorInfo;
    readonly filter: TensorInfo;
    readonly bias?: TensorInfo;
    readonly preluActivationWeights?: TensorInfo;
  };
};

/** The smallest value of each activation that a loop can give. */
const FLOORS: Readonly<Record<string, number>> = { linear: Number.NEGATIVE_INFINITY, relu: 0 };

/** A convolution that the loops do. */
export interface LoopedConvolution {
  readonly info: backend_util.Conv2DInfo;
  /** The smallest result. */
  readonly floor: number;
}

/**
 * Sizes of a convolution; `undefined` where it is the stock kernel's: fewer than four channels made, pixels of a window apart or
 * several filters a channel (see {@link hasLoop}), other activations, types and layouts.
 *
 * @throws DistillateError `window-too-large` where a filter does not fit into the image.
 */
export function loopedConvolution(
  { inputs, attrs }: ConvolutionCall,
  isDepthwise: boolean,
): LoopedConvolution | undefined {
  const { x, filter, bias, preluActivationWeights } = inputs;
  if ((attrs.dataFormat ?? "NHWC") !== "NHWC") return undefined;
  const info = convolutionGeometry(x.shape, filter.shape, attrs, isDepthwise);
  if (info.outHeight < 0 || info.outWidth < 0) throw windowTooLarge(info);
  const floor = FLOORS[attrs.activation ?? "linear"];
  const areFloats = x.dtype === "float32" && filter.dtype === "float32";
  const isBias =
    !bias || (bias.shape.at(-1) === info.outChannels && util.sizeFromShape(bias.shape) === info.outChannels);
  const isOurs = areFloats && isBias && !preluActivationWeights && hasLoop(filter.shape, attrs, isDepthwise);
  return isOurs && floor !== undefined ? { info, floor } : undefined;
}

/** Whether there is a loop for a filter `[kh, kw, in, out]`, or a depthwise one `[kh, kw, channels, filters a channel]`. */
export function hasLoop(
  filterShape: readonly number[],
  { dilations }: Pick<Attributes, "dilations">,
  isDepthwise: boolean,
): boolean {
  const [, width, channels, filters] = filterShape as [number, number, number, number];
  const dilationWidth = typeof dilations === "number" ? dilations : (dilations?.[1] ?? 1);
  return isDepthwise ? filters === 1 && channels >= 4 : filters >= 4 && (width === 1 || dilationWidth === 1);
}

function windowTooLarge(info: backend_util.Conv2DInfo): DistillateError {
  const { inHeight, inWidth, effectiveFilterHeight, effectiveFilterWidth } = info;
  return new DistillateError({
    code: "window-too-large",
    message: `a convolution's filter of ${effectiveFilterHeight} by ${effectiveFilterWidth} does not fit into an image of ${inHeight} by ${inWidth}`,
    hint: "Use a smaller filter, larger images, or padding.",
  });
}
