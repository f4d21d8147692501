/**
 * Sum and Mean over all axes but the last, `[rows, C] -> [C]`: the gradients of biases and batch norm.
 *
 * The stock kernel transposes first, so that the reduced axes lie innermost. Here rows are added as they lie: some at a time in
 * single precision, their sums in double.
 */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { type GradientKernel, heapViews, type KernelCall, stockKernel } from "./kernel.ts";
import { overRows } from "./rows.ts";

type Attributes = { readonly axis: number | number[]; readonly keepDims: boolean };

/** Makes the kernel, keeping the stock one for every other reduction. */
export function reduceLeading(name: "Sum" | "Mean"): GradientKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: KernelCall<Attributes>): TensorInfo {
      const { x: input } = call.inputs as { x: TensorInfo };
      const rank = input.shape.length;
      const axes = util.parseAxisParam(call.attrs.axis, input.shape);
      const leading = rank >= 2 && axes.length === rank - 1 && axes.every((axis) => axis < rank - 1);
      if (!leading || input.dtype !== "float32") return stock(call);
      const channels = input.shape[rank - 1]!;
      const shape = call.attrs.keepDims ? [...new Array<number>(rank - 1).fill(1), channels] : [channels];
      const { output, out, views } = heapViews(call.backend, shape, { x: input });
      const loops = loopsOf(call.backend);
      const [bytes, count] = [channels * 4, views.x.length / channels];
      const sums = overRows(count, channels, out, (start, rows) =>
        loops.sumColumns(views.x.byteOffset + start * bytes, bytes, out.byteOffset, rows, channels),
      );
      const divisor = name === "Mean" ? count : 1;
      for (let c = 0; c < channels; c++) out[c] = sums[c]! / divisor;
      return output;
    },
  };
}
