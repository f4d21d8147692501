/**
 * Gradients of filters, a part for each group of images: their sum is the gradient. How many images are in a group follows from sizes
 * and not from the number of threads, as then does the result's last bit.
 */
import type { Loops } from "../simd/loops.ts";
import { FRAMING, framedImages } from "./framed-images.ts";
import { extentOf, type Told, task } from "./task.ts";
import { WINDOW_SIZES, type WindowSizes } from "./window-sizes.ts";
import { within } from "./within.ts";

/** Where the groups' sums go, one after the other; images, and how many a group has. */
const GROUPS = ["sums", "count", "each"] as const;
/** Bytes of images and gradients that stay near while all of a filter is gone through. */
const NEAR = 2 ** 14;

/** Of ordinary convolutions: see ../wasm-kernels/conv2d-filter.ts. */
export const filterGradients = task(
  [...FRAMING, ...GROUPS, ...WINDOW_SIZES, "dy", "filters"],
  (loops, thread, told) => {
    const { row, channels, dy, filters, outHeight, outWidth, filterHeight, filterWidth } = told;
    const { strideHeight, strideWidth, dilationWidth } = told;
    const frame = framedImages(loops, thread, told);
    const strips = stripsOf(told);
    const [pixel, rowOfDy] = [channels * 4, outWidth * filters * 4];
    // Pixels that a row of the filter covers are one stretch, unless some lie between them.
    const [stretches, pixels] = dilationWidth === 1 ? [1, filterWidth] : [filterWidth, 1];
    const bytes = filterHeight * filterWidth * pixel * filters;
    return sumsOfGroups(loops, told, bytes, (n, to) => {
      const image = frame(n);
      const gradients = dy + n * outHeight * rowOfDy;
      for (const { tap, x, y, lines } of strips) {
        for (let j = 0; j < stretches; j++) {
          loops.outerSums(
            image + x * row + j * dilationWidth * pixel,
            strideWidth * pixel,
            strideHeight * row,
            pixels * channels,
            gradients + y * rowOfDy,
            filters * 4,
            filters,
            to + (tap * filterWidth + j) * pixel * filters,
            outWidth,
            lines,
          );
        }
      }
    });
  },
);

/** Of depthwise ones with as many filters as channels: see ../wasm-kernels/depthwise-filter.ts. */
export const channelFilterGradients = task([...GROUPS, ...WINDOW_SIZES, "x", "dy"], (loops, _thread, told) => {
  const { x, dy, channels, inHeight, inWidth, outHeight, outWidth } = told;
  const { filterHeight, filterWidth, strideHeight, strideWidth } = told;
  const pixel = channels * 4;
  const bytes = filterHeight * filterWidth * pixel;
  const taps = tapsOf(told);
  return sumsOfGroups(loops, told, bytes, (n, to) => {
    const [image, gradients] = [x + n * inHeight * inWidth * pixel, dy + n * outHeight * outWidth * pixel];
    for (const { tap, seen, first, rows, lines } of taps) {
      loops.dotColumns(
        image + seen * pixel,
        strideWidth * pixel,
        strideHeight * inWidth * pixel,
        gradients + first * pixel,
        pixel,
        outWidth * pixel,
        to + tap * pixel,
        rows,
        lines,
        channels,
      );
    }
  });
});

/** Does a group: makes its sums zero, so many bytes, and has each of its images added to them. */
function sumsOfGroups(
  loops: Loops,
  { sums, count, each }: Told<(typeof GROUPS)[number]>,
  bytes: number,
  add: (image: number, to: number) => void,
): (group: number) => void {
  return (group) => {
    const to = sums + group * bytes;
    loops.clear(to, bytes);
    const [from, size] = extentOf(group, count, each);
    for (let image = from; image < from + size; image++) add(image, to);
  };
}

/** Neighbouring rows of an output, all of which a row of the filter reaches. */
interface Strip {
  readonly tap: number;
  /** Row of the image that the filter's row has for the first of them. */
  readonly x: number;
  /** The first of them. */
  readonly y: number;
  readonly lines: number;
}

/** Goes down the output, as many rows at a time as stay near, and there through the rows of the filter. */
function stripsOf(told: WindowSizes & { readonly row: number; readonly filters: number }): readonly Strip[] {
  const { row, filters, inHeight, outHeight, outWidth, filterHeight, strideHeight, dilationHeight, top } = told;
  const near = Math.max(1, Math.floor(NEAR / (strideHeight * row + outWidth * filters * 4)));
  const strips: Strip[] = [];
  for (let start = 0; start < outHeight; start += near) {
    for (let tap = 0; tap < filterHeight; tap++) {
      const shift = tap * dilationHeight - top;
      const [first, last] = within(shift, strideHeight, inHeight, outHeight);
      const [y, end] = [Math.max(start, first), Math.min(start + near, last)];
      if (y < end) strips.push({ tap, x: y * strideHeight + shift, y, lines: end - y });
    }
  }
  return strips;
}

/** The pixels of an output that a tap reaches. */
interface Tap {
  readonly tap: number;
  /** Pixel of the image that it has for the first of them. */
  readonly seen: number;
  /** The first of them. */
  readonly first: number;
  readonly rows: number;
  readonly lines: number;
}

function tapsOf(told: WindowSizes): readonly Tap[] {
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth, top, left } = told;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth } = told;
  const taps: Tap[] = [];
  for (let i = 0; i < filterHeight; i++) {
    const down = i * dilationHeight - top;
    const [firstRow, endRow] = within(down, strideHeight, inHeight, outHeight);
    for (let j = 0; j < filterWidth; j++) {
      const along = j * dilationWidth - left;
      const [first, end] = within(along, strideWidth, inWidth, outWidth);
      if (firstRow >= endRow || first >= end) continue;
      const seen = (firstRow * strideHeight + down) * inWidth + first * strideWidth + along;
      const lines = endRow - firstRow;
      taps.push({ tap: i * filterWidth + j, seen, first: firstRow * outWidth + first, rows: end - first, lines });
    }
  }
  return taps;
}
