/** Element by element, some in each part. */
import { extentOf, task } from "./task.ts";

/** How many elements there are, and how many a part has. */
const SIZE = ["size", "each"] as const;
/** out[i] = max(x[i], least), and x[i] where that is no number; `least` is given as its bits. */
export const floor = task([...SIZE, "x", "least", "out"], (loops, _thread, { x, least, out, size, each }) => (part) => {
  const [from, count] = extentOf(part, size, each);
  loops.floor(x + from * 4, least, out + from * 4, count);
});

/** out[i] = y[i] > 0 ? dy[i] : 0. */
export const rectify = task([...SIZE, "dy", "y", "out"], (loops, _thread, { dy, y, out, size, each }) => (part) => {
  const [from, count] = extentOf(part, size, each);
  loops.rectify(dy + from * 4, y + from * 4, out + from * 4, count);
});

/** out[i] = a[i] + b[i]. */
export const add = task([...SIZE, "a", "b", "out"], (loops, _thread, { a, b, out, size, each }) => (part) => {
  const [from, count] = extentOf(part, size, each);
  loops.add(a + from * 4, b + from * 4, out + from * 4, count);
});

/** out[i] = sum over the rows of x[r, i]. */
export const sumRows = task([...SIZE, "x", "rows", "out"], (loops, _thread, { x, rows, out, size, each }) => (part) => {
  const [from, count] = extentOf(part, size, each);
  loops.clear(out + from * 4, count * 4);
  loops.sumColumns(x + from * 4, size * 4, 0, out + from * 4, rows, 1, count);
});

/** Adam's update: see ../simd/adam-update.ts. */
export const adamUpdate = task(
  [...SIZE, "w", "g", "m", "v", "nextW", "nextM", "nextV", "numbers"],
  (loops, _thread, { size, each, w, g, m, v, nextW, nextM, nextV, numbers }) =>
    (part) => {
      const [from, count] = extentOf(part, size, each);
      const at = from * 4;
      loops.adamUpdate(w + at, g + at, m + at, v + at, nextW + at, nextM + at, nextV + at, numbers, count);
    },
);

/** An update by momentum: see ../simd/momentum-update.ts. */
export const momentumUpdate = task(
  [...SIZE, "w", "g", "u", "nextW", "nextU", "numbers"],
  (loops, _thread, { size, each, w, g, u, nextW, nextU, numbers }) =>
    (part) => {
      const [from, count] = extentOf(part, size, each);
      const at = from * 4;
      loops.momentumUpdate(w + at, g + at, u + at, nextW + at, nextU + at, numbers, count);
    },
);
