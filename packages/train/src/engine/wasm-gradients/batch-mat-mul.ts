/**
 * A single matrix product with transposed operands, as the gradients of dense layers ask for it: transposing first and then
 * multiplying takes the backend's fast path, its own transposed path is a scalar loop.
 */
import { getKernel, matMul, type Tensor, type TensorInfo, tidy, transpose } from "@tensorflow/tfjs-core";
import type { GradientKernel, KernelCall } from "./kernel.ts";

type Attributes = { readonly transposeA: boolean; readonly transposeB: boolean };

/** Makes the kernel, keeping the stock one for batches and for plain products. */
export function batchMatMul(): GradientKernel {
  const stock = getKernel("BatchMatMul", "wasm").kernelFunc as unknown as (call: unknown) => TensorInfo;
  const isSingle = ({ shape }: TensorInfo): boolean => shape.slice(0, -2).every((size) => size === 1);
  return {
    name: "BatchMatMul",
    run(call: KernelCall<Attributes>): TensorInfo {
      const { a, b } = call.inputs as unknown as { a: Tensor; b: Tensor };
      const { transposeA, transposeB } = call.attrs;
      if ((!transposeA && !transposeB) || !isSingle(a) || !isSingle(b)) return stock(call);
      return tidy(() => matMul(transposeA ? turned(a) : a, transposeB ? turned(b) : b));
    },
  };
}

function turned(matrix: Tensor): Tensor {
  const axes = matrix.shape.map((_, axis) => axis);
  return transpose(matrix, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}
