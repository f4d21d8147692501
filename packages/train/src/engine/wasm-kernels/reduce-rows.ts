/**
 * Sum and Mean over axes that end before the last one, `[..., rows, C] -> [..., C]`: the gradients of biases, batch norm, and
 * averages over a map.
 *
 * The stock kernel transposes first, so that the reduced axes lie innermost. Here rows are added as they lie: some at a time in
 * single precision, their sums in double.
 */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { blocksOf } from "../tasks/row-blocks.ts";
import { inParts } from "../threads/in-parts.ts";
import { sumOfBlocks } from "./block-sums.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";

type Attributes = { readonly axis: number | number[]; readonly keepDims: boolean };

/** Makes the kernel, keeping the stock one for every other reduction. */
export function reduceRows(name: "Sum" | "Mean"): WasmKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: KernelCall<Attributes>): TensorInfo {
      const { x: input } = call.inputs as { x: TensorInfo };
      const axes = util.parseAxisParam(call.attrs.axis, input.shape);
      const last = input.shape.length - 1;
      const first = last - axes.length;
      const areApart = new Set(axes).size === axes.length;
      const areRows = axes.length > 0 && areApart && axes.every((axis) => axis >= first && axis < last);
      if (!areRows || input.dtype !== "float32") return stock(call);
      const outer = input.shape.slice(0, first);
      const channels = input.shape[last]!;
      const kept = call.attrs.keepDims ? new Array<number>(axes.length).fill(1) : [];
      const rows = util.sizeFromShape(input.shape.slice(first, last));
      const items = util.sizeFromShape(outer);
      const output = call.backend.makeOutput([...outer, ...kept, channels], "float32");
      const [x] = addressesOf(call.backend, [input]);
      const { blocks, parts, each } = blocksOf(rows, channels, items);
      const sums = sumOfBlocks(call.backend, blocks, channels, items, (to) =>
        inParts(call.backend, "sumBlocks", { channels, rows, items, each, x, sums: to }, parts),
      );
      const out = call.backend.typedArrayFromHeap(output) as Float32Array;
      const divisor = name === "Mean" ? rows : 1;
      for (let i = 0; i < sums.length; i++) out[i] = sums[i]! / divisor;
      return output;
    },
  };
}
