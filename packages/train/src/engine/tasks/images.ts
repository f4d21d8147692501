/** Images that are looked up, filled or put elsewhere, a part for each. */
import { task } from "./task.ts";

/** Values that a byte can have. */
export const VALUES = 256;

/** Floats of images of `size` bytes, which lie `stride` bytes apart: see ../images-from-bytes.ts. `table` has 256 of each channel. */
export const lookUpImages = task(
  ["bytes", "stride", "table", "channels", "size", "out"],
  (loops, _thread, { bytes, stride, table, channels, size, out }) =>
    (image) => {
      for (let c = 0; c < channels; c++) {
        const to = out + (image * size + c) * 4;
        loops.lookUp(bytes + image * stride + c, table + c * VALUES * 4, to, channels, size / channels);
      }
    },
);

/**
 * Puts the pixels of maps of `rows` by `columns` into images of `height` by `width`: every `strideHeight`-th row from `firstRow` on and
 * every `strideWidth`-th column, as far as they fit. Images are zero before where that is told.
 */
export const placeImages = task(
  [
    ...["map", "rows", "columns", "pixel", "out", "height", "width"],
    ...["firstRow", "firstColumn", "strideHeight", "strideWidth", "isCleared"],
  ] as const,
  (loops, _thread, told) => {
    const { map, rows, columns, pixel, out, height, width } = told;
    const { firstRow, firstColumn, strideHeight, strideWidth, isCleared } = told;
    const copied = Math.min(columns, Math.ceil((width - firstColumn) / strideWidth));
    const [row, outRow] = [columns * pixel, width * pixel];
    return (image) => {
      const to = out + image * height * outRow;
      if (isCleared) loops.clear(to, height * outRow);
      for (let y = 0, at = firstRow; y < rows && at < height; y++, at += strideHeight) {
        const source = map + (image * rows + y) * row;
        loops.copyRows(source, pixel, to + at * outRow + firstColumn * pixel, strideWidth * pixel, pixel, copied);
      }
    };
  },
);

/** Repeats each row of `row` bytes so many times. */
export const repeatRows = task(["x", "row", "rows", "out"], (loops, _thread, { x, row, rows, out }) => (image) => {
  loops.copyRows(x + image * row, 0, out + image * rows * row, row, row, rows);
});
