/** Max pooling, four channels at a time where they lie, the rest one by one; the stock kernel lists the address of every place first. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { heapViews, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { type PoolAttributes, poolSizes, visitLeftOver } from "./pool-sizes.ts";

/** Makes the kernel, keeping the stock one's word on what is not made of floats. */
export function maxPool(): WasmKernel {
  const stock = stockKernel("MaxPool");
  return {
    name: "MaxPool",
    run(call: KernelCall<PoolAttributes>): TensorInfo {
      const { backend, attrs } = call;
      const { x: input } = call.inputs as { x: TensorInfo };
      if (input.dtype !== "float32") return stock(call);
      const { batch, outShape, sizes } = poolSizes(input.shape, attrs);
      const { output, out, views } = heapViews(backend, outShape, { x: input });
      const { x } = views;
      inParts(backend, "poolImages", { x: x.byteOffset, out: out.byteOffset, ...sizes }, batch);
      visitLeftOver(x, batch, sizes, (window, largest) => {
        out[window] = largest < 0 ? Number.NEGATIVE_INFINITY : x[largest]!;
      });
      return output;
    },
  };
}
