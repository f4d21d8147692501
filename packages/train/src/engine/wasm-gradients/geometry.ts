import { backend_util, pad, reshape, slice, type Tensor4D } from "@tensorflow/tfjs-core";

/** The attributes of a convolution as tfjs hands them to kernels. */
export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  readonly dilations?: [number, number] | number;
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

/** `dy` with zeros put between its rows and columns: what a stride skipped. */
export function spreadByStride(dy: Tensor4D, strideHeight: number, strideWidth: number): Tensor4D {
  if (strideHeight === 1 && strideWidth === 1) return dy;
  const [batch, height, width, channels] = dy.shape;
  const columns = reshape(
    pad(reshape(dy, [batch * height, width, 1, channels]), [
      [0, 0],
      [0, 0],
      [0, strideWidth - 1],
      [0, 0],
    ]),
    [batch * height, 1, width * strideWidth, channels],
  );
  const rows = reshape(
    pad(columns, [
      [0, 0],
      [0, strideHeight - 1],
      [0, 0],
      [0, 0],
    ]),
    [batch, height * strideHeight, width * strideWidth, channels],
  );
  return slice(
    rows as Tensor4D,
    [0, 0, 0, 0],
    [batch, (height - 1) * strideHeight + 1, (width - 1) * strideWidth + 1, channels],
  );
}

/** `dy`, spread, padded or cut so that a stride-1 "valid" convolution with the flipped filter gives a gradient of the input's size. */
export function gradientFrame(dy: Tensor4D, info: backend_util.Conv2DInfo): Tensor4D {
  const spread = spreadByStride(dy, info.strideHeight, info.strideWidth);
  const [batch, height, width, channels] = spread.shape;
  const { effectiveFilterHeight: kh, effectiveFilterWidth: kw, padInfo } = info;
  const top = kh - 1 - padInfo.top;
  const left = kw - 1 - padInfo.left;
  const bottom = info.inHeight + kh - 1 - height - top;
  const right = info.inWidth + kw - 1 - width - left;
  const grow = (n: number): number => Math.max(0, n);
  const framed = pad(spread, [
    [0, 0],
    [grow(top), grow(bottom)],
    [grow(left), grow(right)],
    [0, 0],
  ]);
  if (Math.min(top, left, bottom, right) >= 0) return framed;
  // More padding than the filter reaches: those outputs saw nothing but zeros.
  return slice(
    framed,
    [0, grow(-top), grow(-left), 0],
    [batch, info.inHeight + kh - 1, info.inWidth + kw - 1, channels],
  );
}
