/** Max pooling and its gradient, a part for each image, of the channels that fill vectors: see ../simd/window.ts. */
import { BITS } from "../simd/assembler.ts";
import { POOL_SIZES, rowsOfWindows } from "./pool-windows.ts";
import { task } from "./task.ts";

/** The largest value of each window. */
export const poolImages = task([...POOL_SIZES, "x", "out"], (loops, _thread, told) => {
  const { x, out, channels, vectors, inHeight, inWidth, outHeight, outWidth, strideWidth } = told;
  const [pixel, row] = [channels * 4, inWidth * channels * 4];
  const step = strideWidth * pixel;
  const stretches = rowsOfWindows(told);
  return (image) => {
    const [from, to] = [x + image * inHeight * row, out + image * outHeight * outWidth * pixel];
    for (const { corner, first, windows, tall, wide } of stretches) {
      const [a, b] = [from + corner * pixel, to + first * pixel];
      if (tall === 2 && wide === 2) loops.squareLargest(a, b, row, pixel, step, windows, vectors);
      else loops.windowLargest(a, b, row, pixel, step, windows, vectors, tall, wide);
    }
  };
});

/** Each window hands its gradient to the first of its largest inputs. */
export const poolGradients = task([...POOL_SIZES, "x", "dy", "out", "isRectified"], (loops, _thread, told) => {
  const { x, dy, out, isRectified, channels, vectors, inHeight, inWidth, outHeight, outWidth } = told;
  const { strideHeight, strideWidth, filterHeight, filterWidth, top, left } = told;
  const [pixel, row] = [channels * 4, inWidth * channels * 4];
  const step = strideWidth * pixel;
  const least = isRectified ? BITS.tiniest : BITS.minusInfinity;
  const areApart = strideHeight >= filterHeight && strideWidth >= filterWidth;
  const areTwo = [filterHeight, filterWidth, strideHeight, strideWidth].every((size) => size === 2);
  const isCovered = areTwo && top === 0 && left === 0 && inHeight === 2 * outHeight && inWidth === 2 * outWidth;
  const stretches = rowsOfWindows(told);
  return (image) => {
    const start = image * inHeight * row;
    const gradients = dy + image * outHeight * outWidth * pixel;
    // What is written once, by windows that lie apart and cover everything, need not be zero before.
    if (!isCovered || vectors < channels) loops.clear(out + start, inHeight * row);
    for (const { corner, first, windows, tall, wide } of stretches) {
      const [a, b, d] = [x + start + corner * pixel, out + start + corner * pixel, gradients + first * pixel];
      if (areApart && tall === 2 && wide === 2) {
        loops.squareMaxima(a, b, d, row, pixel, step, windows, vectors, least);
      } else loops.windowMaxima(a, b, d, row, pixel, step, windows, vectors, least, tall, wide);
    }
  };
});
