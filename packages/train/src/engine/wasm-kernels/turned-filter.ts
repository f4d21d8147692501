/**
 * Filters as the gradient of a convolution's input needs them: turned by 180 degrees, their channels swapped. Stock kernels would
 * gather, reverse and transpose, and the last alone takes a quarter of the time of a small convolution.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { engine, type Tensor4D } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf } from "./kernel.ts";

/** Rows and columns of a filter that take part, in its order. */
export interface Taps {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

/** out[i, j, k, c] = filter[row, column, c, k] with the i-th row and the j-th column from the end. */
export function turnedFilter(backend: BackendWasm, filter: Tensor4D, taps: Taps): Tensor4D {
  const [, width, channels, filters] = filter.shape;
  const [rows, columns] = [taps.rows.toReversed(), taps.columns.toReversed()];
  const output = backend.makeOutput([rows.length, columns.length, filters, channels], "float32");
  const [from, to] = addressesOf(backend, [filter, output]);
  const loops = loopsOf(backend);
  const bytes = channels * filters * 4;
  let at = to;
  for (const row of rows) {
    for (const column of columns) {
      loops.transpose(from + (row * width + column) * bytes, at, channels, filters);
      at += bytes;
    }
  }
  return engine().makeTensorFromTensorInfo(output) as Tensor4D;
}

/** All taps of a filter. */
export function allTaps([height, width]: readonly number[]): Taps {
  return { rows: [...new Array(height!).keys()], columns: [...new Array(width!).keys()] };
}
