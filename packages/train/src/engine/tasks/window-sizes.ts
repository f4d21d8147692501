import type { Told } from "./task.ts";

/** Sizes, strides, dilations and paddings of windows that go over images: of convolutions and of pooling. */
export const WINDOW_SIZES = [
  ...["channels", "inHeight", "inWidth", "outHeight", "outWidth", "filterHeight", "filterWidth"],
  ...["strideHeight", "strideWidth", "dilationHeight", "dilationWidth", "top", "left"],
] as const;

/** The same by name. */
export type WindowSizes = Told<(typeof WINDOW_SIZES)[number]>;
