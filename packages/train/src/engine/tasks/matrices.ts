/** Products and sums of matrices that lie densely, by bands. */
import { extentOf, task } from "./task.ts";

/** out[p, q] = sum over k of a[p, k] b[q, k], `each` rows of a in a part: see ../simd/inner-products.ts. */
export const innerProducts = task(
  ["a", "aRows", "b", "bRows", "out", "columns", "each"],
  (loops, _thread, { a, aRows, b, bRows, out, columns, each }) =>
    (part) => {
      const [from, size] = extentOf(part, aRows, each);
      loops.innerProducts(a + from * columns * 4, size, b, bRows, out + from * bRows * 4, columns);
    },
);

/** out[p, q] = sum over t of a[t, p] b[t, q], `each` columns of a in a part: see ../simd/outer-sums.ts. */
export const outerSums = task(
  ["a", "aColumns", "b", "bColumns", "out", "rows", "each"],
  (loops, _thread, { a, aColumns, b, bColumns, out, rows, each }) =>
    (part) => {
      const [from, size] = extentOf(part, aColumns, each);
      const to = out + from * bColumns * 4;
      loops.clear(to, size * bColumns * 4);
      loops.outerSums(a + from * 4, aColumns * 4, 0, size, b, bColumns * 4, bColumns, to, rows, 1);
    },
);
