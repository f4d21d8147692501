/**
 * Gradient of a mean: every element gets dy / n. tfjs multiplies dy by as many ones as there are elements and divides all of
 * them; here the few are divided, and rows of channels are copied.
 */
import { broadcastTo, div, type GradConfig, reshape, type Tensor, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf, type GradientKernel, type KernelCall, stockKernel } from "./kernel.ts";

export const meanGradient: GradConfig = {
  kernelName: "Mean",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const { shape, size } = x!;
      const axes = util.parseAxisParam((attrs as unknown as { axis: number | number[] }).axis, shape);
      const upstream = dy as Tensor;
      const each = div(upstream, size / upstream.size);
      const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
      return broadcastTo(reshape(each, kept), shape);
    },
  }),
};

/** Makes the kernel of repetition, keeping the stock one for all but rows that are repeated `[..., 1, C] -> [..., rows, C]`. */
export function repeatRows(): GradientKernel {
  const stock = stockKernel("Tile");
  return {
    name: "Tile",
    run(call: KernelCall<{ readonly reps: readonly number[] }>): TensorInfo {
      const { backend, attrs } = call;
      const { x } = call.inputs as { x: TensorInfo };
      const { reps } = attrs;
      const last = reps.length - 1;
      const first = reps.findIndex((count) => count > 1);
      const areRows = first >= 0 && reps[last] === 1 && x.shape.slice(first, last).every((size) => size === 1);
      if (!areRows || x.shape.length !== reps.length || x.dtype !== "float32") return stock(call);
      const output = backend.makeOutput(
        x.shape.map((size, axis) => size * reps[axis]!),
        "float32",
      );
      const [from, to] = addressesOf(backend, [x, output]);
      const row = x.shape[last]! * 4;
      const rows = util.sizeFromShape([...reps]);
      const count = util.sizeFromShape(x.shape.slice(0, first));
      const loops = loopsOf(backend);
      for (let i = 0; i < count; i++) loops.copyRows(from + i * row, 0, to + i * rows * row, row, row, rows);
      return output;
    },
  };
}
