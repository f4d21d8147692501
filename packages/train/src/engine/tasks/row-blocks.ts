/**
 * Sums and maps over rows of channels, which lie densely, by blocks of rows: enough to be fast, few enough to add in single precision
 * without losing digits and to stay in the cache. A part is some blocks. The sums of each are kept, for somebody to add them in double
 * precision and in their order.
 */
import { task } from "./task.ts";

/** Rows of a block. */
const ROWS = 128;
/** Floats of a part's blocks: enough to be worth the handing over. */
const PART = 2 ** 14;

/** Into how many blocks rows are divided, and those into parts. */
export interface Blocks {
  readonly blocks: number;
  readonly parts: number;
  /** Blocks of a part. */
  readonly each: number;
}

/** Divides rows of channels, of each of some items. */
export function blocksOf(rows: number, channels: number, items = 1): Blocks {
  const blocks = items * Math.ceil(rows / ROWS);
  const each = Math.max(1, Math.floor(PART / (Math.min(rows, ROWS) * channels)));
  return { blocks, parts: Math.ceil(blocks / each), each };
}

type Visit = (start: number, count: number, block: number) => void;

/** Visits a part's blocks: the first row of each, how many it has, and its number. Blocks do not go from item to item. */
function inBlocks(part: number, { rows, items, each }: Record<"rows" | "items" | "each", number>, visit: Visit): void {
  const ofItem = Math.ceil(rows / ROWS);
  const end = Math.min((part + 1) * each, items * ofItem);
  for (let block = part * each; block < end; block++) {
    const item = Math.floor(block / ofItem);
    const from = (block - item * ofItem) * ROWS;
    visit(item * rows + from, Math.min(ROWS, rows - from), block);
  }
}

const SHAPE = ["channels", "rows", "items", "each"] as const;

/** sums[block, c] = sum of x[r, c]. */
export const sumBlocks = task([...SHAPE, "x", "sums"], (loops, _thread, told) => {
  const { x, sums, channels } = told;
  const row = channels * 4;
  return (part) =>
    inBlocks(part, told, (start, count, block) => {
      const to = sums + block * row;
      loops.clear(to, row);
      loops.sumColumns(x + start * row, row, 0, to, count, 1, channels);
    });
});

/** sums[block, c] = sum of (x[r, c] - mean[c]) x[r, c]. */
export const squareBlocks = task([...SHAPE, "x", "mean", "sums"], (loops, _thread, told) => {
  const { x, mean, sums, channels } = told;
  const row = channels * 4;
  return (part) =>
    inBlocks(part, told, (start, count, block) => {
      const [at, to] = [x + start * row, sums + block * row];
      loops.clear(to, row);
      loops.centredDots(at, at, mean, to, count, channels);
    });
});

/**
 * sums[block] = sums of dy[r, c], then of (x[r, c] - mean[c]) dy[r, c]. Where there is y, what a rectifier made, dy is the gradient of
 * that, and `rectified` what the rectifier hands on.
 */
export const gradientBlocks = task([...SHAPE, "x", "mean", "dy", "y", "rectified", "sums"], (loops, _thread, told) => {
  const { x, mean, dy, y, rectified, sums, channels } = told;
  const row = channels * 4;
  return (part) =>
    inBlocks(part, told, (start, count, block) => {
      const [at, to] = [start * row, sums + 2 * block * row];
      if (y) loops.rectify(dy + at, y + at, rectified + at, count * channels);
      const gradient = (y ? rectified : dy) + at;
      loops.clear(to, 2 * row);
      loops.sumColumns(gradient, row, 0, to, count, 1, channels);
      loops.centredDots(x + at, gradient, mean, to + row, count, channels);
    });
});

/** out[r, c] = max(floor, x[r, c] a[c] + b[c]); `coefficients` holds a and b, `floor` is given as its bits. */
export const affineOne = task([...SHAPE, "x", "coefficients", "floor", "out"], (loops, _thread, told) => {
  const { x, coefficients, floor, out, channels } = told;
  const row = channels * 4;
  return (part) =>
    inBlocks(part, told, (start, count) =>
      loops.affineOne(x + start * row, coefficients, floor, out + start * row, count, channels),
    );
});

/** out[r, c] = max(floor, x[r, c] a[c] + y[r, c] b[c] + d[c]); `coefficients` holds a, b and d. */
export const affineTwo = task([...SHAPE, "x", "y", "coefficients", "floor", "out"], (loops, _thread, told) => {
  const { x, y, coefficients, floor, out, channels } = told;
  const row = channels * 4;
  return (part) =>
    inBlocks(part, told, (start, count) => {
      const at = start * row;
      loops.affineTwo(x + at, y + at, coefficients, floor, out + at, count, channels);
    });
});
