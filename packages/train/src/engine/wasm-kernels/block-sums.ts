import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf } from "./kernel.ts";

/**
 * Sums of blocks in single precision, and their sums in double, in the blocks' order: `[items, columns]`.
 *
 * @param add - Fills the blocks' sums, which lie one after the other.
 */
export function sumOfBlocks(
  backend: BackendWasm,
  blocks: number,
  columns: number,
  items: number,
  add: (sums: number) => void,
): Float64Array {
  const room = backend.makeOutput([blocks, columns], "float32");
  const doubles = backend.makeOutput([items, columns, 2], "float32");
  const [from, to] = addressesOf(backend, [room, doubles]);
  add(from);
  const loops = loopsOf(backend);
  const ofItem = blocks / items;
  for (let i = 0; i < items; i++) {
    loops.doubleSums(from + i * ofItem * columns * 4, to + i * columns * 8, ofItem, columns);
  }
  const { buffer } = backend.typedArrayFromHeap(doubles);
  const sums = new Float64Array(buffer, to, items * columns).slice();
  for (const { dataId } of [room, doubles]) backend.disposeData(dataId);
  return sums;
}
