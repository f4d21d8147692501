/** Max pooling, four channels at a time where they lie, the rest one by one; the stock kernel lists the address of every place first. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { heapViews, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { firstLargest, type PoolAttributes, poolGeometry, poolStrides, visitWindows } from "./pool-windows.ts";

/** Makes the kernel, keeping the stock one's word on what is not made of floats. */
export function maxPool(): WasmKernel {
  const stock = stockKernel("MaxPool");
  return {
    name: "MaxPool",
    run(call: KernelCall<PoolAttributes>): TensorInfo {
      const { backend, attrs } = call;
      const { x: input } = call.inputs as { x: TensorInfo };
      if (input.dtype !== "float32") return stock(call);
      const info = poolGeometry(input.shape, attrs);
      const { output, out, views } = heapViews(backend, info.outShape, { x: input });
      const { x } = views;
      const { row, pixel, step, vectors } = poolStrides(info);
      const loops = loopsOf(backend);
      const [xAt, outAt] = [x.byteOffset, out.byteOffset];
      visitWindows(info, (corner, from, windows, tall, wide) => {
        const [a, b] = [xAt + corner * 4, outAt + from * 4];
        if (tall === 2 && wide === 2) loops.squareLargest(a, b, row, pixel, step, windows, vectors);
        else loops.windowLargest(a, b, row, pixel, step, windows, vectors, tall, wide);
        for (let c = vectors; c < info.inChannels; c++) {
          const best = firstLargest(x, corner + c, info, tall, wide);
          out[from + c] = best < 0 ? Number.NEGATIVE_INFINITY : x[best]!;
        }
      });
      return output;
    },
  };
}
