/** Convolutions: see ../simd/convolution.ts. */
import { bandsOf } from "./bands.ts";
import { FRAMING, framedImages } from "./framed-images.ts";
import { extentOf, task } from "./task.ts";
import { WINDOW_SIZES } from "./window-sizes.ts";

/** Ordinary and depthwise ones, a part for each image. */
export const convolveImages = task(
  [...FRAMING, ...WINDOW_SIZES, "isDepthwise", "filter", "filters", "ends", "out"],
  (loops, thread, told) => {
    const { row, isDepthwise, channels, filter, filters, ends, out, outHeight, outWidth, filterWidth } = told;
    const { strideHeight, strideWidth, dilationHeight, dilationWidth } = told;
    const frame = framedImages(loops, thread, told);
    const bands = bandsOf(told);
    const taps = isDepthwise ? filterWidth : filterWidth * channels;
    const [pixel, outRow] = [channels * 4, outWidth * filters * 4];
    // An ordinary one has no use for the last argument.
    const convolve = isDepthwise ? loops.convolveChannels : (loops.convolve as typeof loops.convolveChannels);
    return (image) => {
      const x = frame(image);
      for (const { from, to, firstTap, taps: rows, start } of bands) {
        convolve(
          x + start * row,
          strideWidth * pixel,
          dilationHeight * row,
          strideHeight * row,
          filter + firstTap * taps * filters * 4,
          taps,
          rows,
          ends,
          out + (image * outHeight + from) * outRow,
          outWidth,
          to - from,
          filters,
          dilationWidth * pixel,
        );
      }
    };
  },
);

/** Of single pixels, some in each part: rows of a matrix times another matrix. */
export const convolvePixels = task(
  ["pixels", "channels", "filter", "filters", "ends", "out", "count", "each"],
  (loops, _thread, { pixels, channels, filter, filters, ends, out, count, each }) =>
    (part) => {
      const [from, size] = extentOf(part, count, each);
      const [x, to] = [pixels + from * channels * 4, out + from * filters * 4];
      loops.convolve(x, channels * 4, 0, 0, filter, channels, 1, ends, to, size, 1, filters);
    },
);
