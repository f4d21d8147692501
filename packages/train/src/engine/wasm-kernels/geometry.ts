import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { backend_util, slice, type Tensor4D } from "@tensorflow/tfjs-core";
import type { WindowSizes } from "../tasks/window-sizes.ts";
import { spread } from "./spread.ts";

/** The attributes of a convolution as tfjs hands them to kernels. */
export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  /** Layers give null. */
  readonly dilations?: [number, number] | number | null;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** Sizes, strides and paddings of a convolution over `x` (NHWC) with a filter `[kh, kw, in, out]`. */
export function convolutionGeometry(
  xShape: readonly number[],
  filterShape: readonly number[],
  attrs: ConvolutionAttributes,
  depthwise: boolean,
): backend_util.Conv2DInfo {
  return backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    depthwise,
  );
}

/** The same as tasks are told of it, for a convolution or a pooling. */
export function windowSizes(info: backend_util.Conv2DInfo): WindowSizes {
  return {
    channels: info.inChannels,
    inHeight: info.inHeight,
    inWidth: info.inWidth,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
    filterHeight: info.filterHeight,
    filterWidth: info.filterWidth,
    strideHeight: info.strideHeight,
    strideWidth: info.strideWidth,
    dilationHeight: info.dilationHeight,
    dilationWidth: info.dilationWidth,
    top: info.padInfo.top,
    left: info.padInfo.left,
  };
}

type Padding = backend_util.ExplicitPadding;

/**
 * `dy` with zeros put where a stride skipped, and the padding with which a stride-1 convolution of it with the turned filter gives a
 * gradient of the input's size; `undefined` where no window reaches the image, so that the gradient is zero.
 */
export function gradientFrame(
  backend: BackendWasm,
  dy: Tensor4D,
  info: backend_util.Conv2DInfo,
): { readonly frame: Tensor4D; readonly padding: Padding } | undefined {
  const { effectiveFilterHeight: kh, effectiveFilterWidth: kw, padInfo, strideHeight, strideWidth } = info;
  const [batch, height, width, channels] = dy.shape;
  const [tall, wide] = [(height - 1) * strideHeight + 1, (width - 1) * strideWidth + 1];
  const isSpread = strideHeight > 1 || strideWidth > 1;
  const frame = isSpread ? spread(backend, dy, [strideHeight, strideWidth], [tall, wide]) : dy;
  const top = kh - 1 - padInfo.top;
  const left = kw - 1 - padInfo.left;
  const bottom = info.inHeight + kh - 1 - tall - top;
  const right = info.inWidth + kw - 1 - wide - left;
  const grow = (n: number): number => Math.max(0, n);
  const padding: Padding = [
    [0, 0],
    [grow(top), grow(bottom)],
    [grow(left), grow(right)],
    [0, 0],
  ];
  if (Math.min(top, left, bottom, right) >= 0) return { frame, padding };
  // More padding than the filter reaches: those outputs saw nothing but zeros.
  const rows = tall - grow(-top) - grow(-bottom);
  const columns = wide - grow(-left) - grow(-right);
  if (rows <= 0 || columns <= 0) return undefined;
  return { frame: slice(frame, [0, grow(-top), grow(-left), 0], [batch, rows, columns, channels]), padding };
}
