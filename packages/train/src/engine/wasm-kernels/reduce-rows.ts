/**
 * Sum and Mean over axes that end before the last one, `[..., rows, C] -> [..., C]`: the gradients of biases, batch norm, and
 * averages over a map.
 *
 * The stock kernel transposes first, so that the reduced axes lie innermost. Here rows are added as they lie: some at a time in
 * single precision, their sums in double.
 */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { heapViews, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { overRows } from "./rows.ts";

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
      const { output, out, views } = heapViews(call.backend, [...outer, ...kept, channels], { x: input });
      const loops = loopsOf(call.backend);
      const rows = util.sizeFromShape(input.shape.slice(first, last));
      const divisor = name === "Mean" ? rows : 1;
      for (let from = 0; from < out.length; from += channels) {
        const part = out.subarray(from, from + channels);
        const sums = overRows(rows, channels, part, (start, count) =>
          loops.sumColumns(
            views.x.byteOffset + (from * rows + start * channels) * 4,
            channels * 4,
            0,
            part.byteOffset,
            count,
            1,
            channels,
          ),
        );
        for (let c = 0; c < channels; c++) part[c] = sums[c]! / divisor;
      }
      return output;
    },
  };
}
