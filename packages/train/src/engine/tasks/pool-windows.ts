/** The windows of a pooling over an image, in reading order. */
import type { Told } from "./task.ts";
import { WINDOW_SIZES } from "./window-sizes.ts";

/** Sizes of a pooling; `vectors` of the channels are whole vectors, a multiple of four. */
export const POOL_SIZES = [...WINDOW_SIZES, "vectors"] as const;

/** The same by name. */
export type PoolSizes = Told<(typeof POOL_SIZES)[number]>;

/** Neighbouring windows of one size, and how much of them lies in the image: nothing where they lie in the padding alone. */
export interface Stretch {
  /** Pixel of the image in which the first one begins. */
  readonly corner: number;
  /** Number of the first one. */
  readonly first: number;
  readonly windows: number;
  readonly tall: number;
  readonly wide: number;
}

/** All windows: those as one that lie within the image's width and in one row, unless the loops leave some channels over. */
export function rowsOfWindows(sizes: PoolSizes): readonly Stretch[] {
  const { inWidth, outWidth, filterWidth, strideWidth, left, channels, vectors } = sizes;
  if (vectors < channels) return eachWindow(sizes);
  // Those from `first` to before `end` lie within.
  const first = Math.min(outWidth, Math.ceil(left / strideWidth));
  const end = Math.min(outWidth, Math.floor((inWidth - filterWidth + left) / strideWidth) + 1);
  return stretchesOf(sizes, first, Math.max(first + 1, end));
}

/** All windows, one by one. */
export function eachWindow(sizes: PoolSizes): readonly Stretch[] {
  return stretchesOf(sizes, 0, 1);
}

/** Those of each row from `first` to before `end` are one. */
function stretchesOf(sizes: PoolSizes, first: number, end: number): readonly Stretch[] {
  const { inHeight, inWidth, outHeight, outWidth } = sizes;
  const { filterHeight, filterWidth, strideHeight, strideWidth, top, left } = sizes;
  const stretches: Stretch[] = [];
  for (let row = 0; row < outHeight; row++) {
    const y = Math.max(0, row * strideHeight - top);
    const tall = Math.max(0, Math.min(inHeight, row * strideHeight - top + filterHeight) - y);
    for (let column = 0, windows = 1; column < outWidth; column += windows) {
      windows = column === first ? end - first : 1;
      const x = Math.max(0, column * strideWidth - left);
      const wide = Math.max(0, Math.min(inWidth, column * strideWidth - left + filterWidth) - x);
      stretches.push({ corner: y * inWidth + x, first: row * outWidth + column, windows, tall, wide });
    }
  }
  return stretches;
}
