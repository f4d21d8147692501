/** Puts zeros between the rows and columns of a map: what a stride skipped. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { engine, type Tensor4D } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { addressesOf } from "./kernel.ts";

/**
 * `map` `[N, H, W, C]` at every `strideHeight`-th row and `strideWidth`-th column of zeros of `height` by `width`, from the first
 * on; rows and columns that do not fit are left out.
 */
export function spread(
  backend: BackendWasm,
  map: Tensor4D,
  stride: readonly [height: number, width: number],
  size: readonly [height: number, width: number],
): Tensor4D {
  return interleave(backend, [{ map, first: [0, 0] }], stride, size);
}

/** A map and the row and column of its first pixel in a larger one. */
export interface Placed {
  readonly map: Tensor4D;
  readonly first: readonly [row: number, column: number];
}

/** Several maps in one, each at every so many rows and columns from its first on; zeros where none is. */
export function interleave(
  backend: BackendWasm,
  placed: readonly Placed[],
  [strideHeight, strideWidth]: readonly [number, number],
  [height, width]: readonly [number, number],
): Tensor4D {
  const [batch, , , channels] = placed[0]!.map.shape;
  const output = backend.makeOutput([batch, height, width, channels], "float32");
  for (const [i, { map, first }] of placed.entries()) {
    const [, rows, columns] = map.shape;
    const [firstRow, firstColumn] = first;
    const [from, out] = addressesOf(backend, [map, output]);
    const told = {
      map: from,
      rows,
      columns,
      pixel: channels * 4,
      out,
      height,
      width,
      firstRow,
      firstColumn,
      strideHeight,
      strideWidth,
      isCleared: Number(i === 0),
    };
    inParts(backend, "placeImages", told, batch);
  }
  return engine().makeTensorFromTensorInfo(output) as Tensor4D;
}
