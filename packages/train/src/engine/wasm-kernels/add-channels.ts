/** A sum of a map and one number for each channel, the addition of a bias, in one pass; the stock kernel finds every index anew. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { inBlocks } from "./rows.ts";

/** Makes the kernel, keeping the stock one for every other addition. */
export function addChannels(): WasmKernel {
  const stock = stockKernel("Add");
  return {
    name: "Add",
    run(call: KernelCall<unknown>): TensorInfo {
      const { a: map, b: added } = call.inputs as { a: TensorInfo; b: TensorInfo };
      const channels = map.shape.at(-1);
      const isOne = added.shape.at(-1) === channels && added.shape.slice(0, -1).every((size) => size === 1);
      const isOurs = isOne && map.shape.length > 1 && added.shape.length <= map.shape.length;
      if (!isOurs || map.dtype !== "float32" || added.dtype !== "float32") return stock(call);
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
  const [from, by, to] = addressesOf(backend, [map, coefficients, output]);
  const loops = loopsOf(backend);
  inBlocks(util.sizeFromShape(map.shape) / channels, (start, count) => {
    const at = start * channels * 4;
    loops.affineOne(from + at, by, BITS.minusInfinity, to + at, count, channels);
  });
  backend.disposeData(coefficients.dataId);
  return output;
}
