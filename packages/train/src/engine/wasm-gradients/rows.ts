/** Enough to be fast, few enough to add in single precision without losing digits and to stay in the cache. */
const ROWS_AT_ONCE = 128;

/** Some rows after the other: they stay in the cache while a loop goes through their channels. */
export function inBlocks(rows: number, visit: (start: number, count: number) => void): void {
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) visit(start, Math.min(ROWS_AT_ONCE, rows - start));
}
