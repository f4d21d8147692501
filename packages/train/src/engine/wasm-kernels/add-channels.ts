/**
 * Sums of two maps, and of a map and one number for each channel, the addition of a bias, in one pass; the stock kernel finds every index of
 * the latter anew.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { blocksOf } from "../tasks/row-blocks.ts";
import { inParts } from "../threads/in-parts.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { overElements } from "./over-elements.ts";

/** Makes the kernel, keeping the stock one for every other addition. */
export function addChannels(): WasmKernel {
  const stock = stockKernel("Add");
  return {
    name: "Add",
    run(call: KernelCall<unknown>): TensorInfo {
      const { a: map, b: added } = call.inputs as { a: TensorInfo; b: TensorInfo };
      const areFloats = map.dtype === "float32" && added.dtype === "float32";
      if (areFloats && util.arraysEqual(map.shape, added.shape)) return sumOf(call.backend, map, added);
      const channels = map.shape.at(-1);
      const isOne = added.shape.at(-1) === channels && added.shape.slice(0, -1).every((size) => size === 1);
      const isOurs = isOne && map.shape.length > 1 && added.shape.length <= map.shape.length;
      if (!isOurs || !areFloats) return stock(call);
      return plusChannels(call.backend, map, added);
    },
  };
}

/** The sum of a map `[..., C]` and `added`, C floats. */
export function plusChannels(backend: BackendWasm, map: TensorInfo, added: TensorInfo): TensorInfo {
  const channels = map.shape.at(-1)!;
  const output = backend.makeOutput(map.shape, "float32");
  // x 1 + b rounds as x + b does.
  const coefficients = backend.makeOutput([2 * channels], "float32");
  const values = backend.typedArrayFromHeap(coefficients);
  values.fill(1, 0, channels);
  values.set(backend.typedArrayFromHeap(added), channels);
  const [x, by, out] = addressesOf(backend, [map, coefficients, output]);
  const rows = util.sizeFromShape(map.shape) / channels;
  const { parts, each } = blocksOf(rows, channels);
  const told = { channels, rows, items: 1, each, x, coefficients: by, floor: BITS.minusInfinity, out };
  inParts(backend, "affineOne", told, parts);
  backend.disposeData(coefficients.dataId);
  return output;
}

function sumOf(backend: BackendWasm, left: TensorInfo, right: TensorInfo): TensorInfo {
  const output = backend.makeOutput(left.shape, "float32");
  const [a, b, out] = addressesOf(backend, [left, right, output]);
  overElements(backend, "add", util.sizeFromShape(left.shape), { a, b, out });
  return output;
}
