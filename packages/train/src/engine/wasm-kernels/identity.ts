/**
 * Copies by reference: tensors never change, so two of them can share their data. The stock kernels copy, and a training step clones
 * hundreds of tensors; the gradient of a clone casts floats to floats.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";

/** Makes the kernel, keeping the stock one for other types and for strings, which do not live on the heap. */
export function identity(name: "Identity" | "Cast"): WasmKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: KernelCall<{ readonly dtype?: string }>): TensorInfo {
      const { x } = call.inputs as { x: TensorInfo };
      const isSame = name === "Identity" || call.attrs.dtype === x.dtype;
      if (!isSame || x.dtype === "string") return stock(call);
      call.backend.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  };
}
