/**
 * The input gradient of a convolution with stride 2, without multiplying by zeros: rows and columns of the input are even or odd,
 * and each of the four kinds is reached by other taps of the filter only. So each is a convolution of dY with those taps:
 *
 *   dX[2a + e] = sum over j of  dY[a + s - j] F[p' + 2j]        p' = (e + p) mod 2,  s = floor((e + p) / 2)
 *
 * along each axis, for padding p, and the four maps are put side by side.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type backend_util, conv2d, slice, type Tensor4D, zeros } from "@tensorflow/tfjs-core";
import { interleave, type Placed } from "./spread.ts";
import { turnedFilter } from "./turned-filter.ts";

/** Which taps reach the rows (or columns) of one parity, and how dY is framed for them. */
interface Axis {
  /** In the order of the filter. */
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
  /** Rows of that parity. */
  readonly size: number;
}

function axisOf(parity: number, kernel: number, padding: number, inSize: number, outSize: number): Axis {
  const size = Math.ceil((inSize - parity) / 2);
  const start = (parity + padding) % 2;
  const taps = Array.from({ length: kernel }, (_, i) => i).filter((i) => i >= start && (i - start) % 2 === 0);
  const shift = Math.floor((parity + padding) / 2);
  // Row a needs dY from a + shift - (taps - 1) to a + shift.
  return { taps, before: taps.length - 1 - shift, after: size - 1 + shift - (outSize - 1), size };
}

/** `dX` of `dy` and `filter`; strides are 2, dilations 1. */
export function byParity(
  backend: BackendWasm,
  dy: Tensor4D,
  filter: Tensor4D,
  info: backend_util.Conv2DInfo,
): Tensor4D {
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth, padInfo } = info;
  const placed: Placed[] = [];
  for (const row of [0, 1]) {
    for (const column of [0, 1]) {
      const down = axisOf(row, filterHeight, padInfo.top, inHeight, outHeight);
      const along = axisOf(column, filterWidth, padInfo.left, inWidth, outWidth);
      if (down.taps.length === 0 || along.taps.length === 0 || down.size <= 0 || along.size <= 0) continue;
      const some = turnedFilter(backend, filter, { rows: down.taps, columns: along.taps });
      const cut = (n: number): number => Math.max(0, -n);
      const grow = (n: number): number => Math.max(0, n);
      const rows = outHeight - cut(down.before) - cut(down.after);
      const columns = outWidth - cut(along.before) - cut(along.after);
      const isWhole = rows === outHeight && columns === outWidth;
      const begin: [number, number, number, number] = [0, cut(down.before), cut(along.before), 0];
      const seen = isWhole ? dy : slice(dy, begin, [dy.shape[0], rows, columns, dy.shape[3]]);
      const padding: backend_util.ExplicitPadding = [
        [0, 0],
        [grow(down.before), grow(down.after)],
        [grow(along.before), grow(along.after)],
        [0, 0],
      ];
      placed.push({ map: conv2d(seen, some, 1, padding), first: [row, column] });
    }
  }
  if (placed.length === 0) return zeros([dy.shape[0], inHeight, inWidth, filter.shape[2]]);
  return interleave(backend, placed, [2, 2], [inHeight, inWidth]);
}
