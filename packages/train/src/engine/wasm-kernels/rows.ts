/** Enough to be fast, few enough to add in single precision without losing digits and to stay in the cache. */
const ROWS_AT_ONCE = 128;

/** Some rows after the other: they stay in the cache while a loop goes through their channels. */
export function inBlocks(rows: number, visit: (start: number, count: number) => void): void {
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) visit(start, Math.min(ROWS_AT_ONCE, rows - start));
}

/** Sums over the rows, some at a time in `part` and those in double. */
export function overRows(
  rows: number,
  channels: number,
  part: Float32Array,
  add: (start: number, count: number) => void,
): Float64Array {
  const sums = new Float64Array(channels);
  inBlocks(rows, (start, count) => {
    part.fill(0, 0, channels);
    add(start, count);
    for (let c = 0; c < channels; c++) sums[c]! += part[c]!;
  });
  return sums;
}
