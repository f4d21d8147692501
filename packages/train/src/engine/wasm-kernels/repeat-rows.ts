/** Repetition of rows of channels, the gradient of their mean, by copying; the stock kernel finds every index anew. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";

/** Makes the kernel, keeping the stock one for all but rows that are repeated `[..., 1, C] -> [..., rows, C]`. */
export function repeatRows(): WasmKernel {
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
      inParts(backend, "repeatRows", { x: from, row, rows, out: to }, count);
      return output;
    },
  };
}
