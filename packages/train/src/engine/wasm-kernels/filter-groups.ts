/** Gradients of filters by groups of images, and their sum. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { addressesOf } from "./kernel.ts";
import { overElements } from "./over-elements.ts";

/** Groups into which the images of a batch are divided, as far as that goes. */
const GROUPS = 8;
/** Bytes that all groups' sums may take. */
const MOST = 2 ** 25;

/** Where groups put their sums, and how the images of a batch are divided: nothing of it depends on the number of threads. */
interface Groups {
  readonly sums: number;
  readonly count: number;
  readonly each: number;
}

/**
 * The gradient of a filter of a shape.
 *
 * @param add - Fills each group's sums.
 */
export function sumOfGroups(
  backend: BackendWasm,
  shape: readonly number[],
  images: number,
  add: (groups: Groups, parts: number) => void,
): TensorInfo {
  const size = util.sizeFromShape([...shape]);
  const most = Math.max(1, Math.min(GROUPS, Math.floor(MOST / (size * 4))));
  const each = Math.ceil(images / most);
  const groups = Math.max(1, Math.ceil(images / each));
  const output = backend.makeOutput([...shape], "float32");
  const room = groups === 1 ? output : backend.makeOutput([groups, size], "float32");
  const [x, out] = addressesOf(backend, [room, output]);
  add({ sums: x, count: images, each }, groups);
  if (groups === 1) return output;
  overElements(backend, "sumRows", size, { x, rows: groups, out });
  backend.disposeData(room.dataId);
  return output;
}
