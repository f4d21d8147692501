/**
 * A copy by reference: tensors never change, so two of them can share their data. The stock kernel copies, and a training
 * step clones hundreds of tensors.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";

/** Makes the kernel, keeping the stock one for strings, which do not live on the heap. */
export function identity(): WasmKernel {
  const stock = stockKernel("Identity");
  return {
    name: "Identity",
    run(call: KernelCall<unknown>): TensorInfo {
      const { x } = call.inputs as { x: TensorInfo };
      if (x.dtype === "string") return stock(call);
      call.backend.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  };
}
