/**
 * Products of two matrices by MatMul: tfjs-node has BatchMatMulV2 do all products, which for a single one takes a slower way.
 */
import * as tf from "@tensorflow/tfjs-core";
import { flagAttr, type KernelCall, type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Made at installation, since it hands on to the kernel that it replaces. */
export function matMul(): TensorflowKernel {
  const stock = tf.getKernel("BatchMatMul", "tensorflow").kernelFunc as unknown as TensorflowKernel["run"];
  return {
    name: "BatchMatMul",
    run(call: KernelCall<{ readonly transposeA: boolean; readonly transposeB: boolean }>) {
      const { inputs, attrs, backend } = call;
      const [a, b] = [inputs.a!, inputs.b!];
      if (a.shape.length !== 2 || b.shape.length !== 2 || a.dtype !== "float32") return stock(call);
      const flags = [
        typeAttr(backend, "T"),
        flagAttr(backend, "transpose_a", attrs.transposeA),
        flagAttr(backend, "transpose_b", attrs.transposeB),
      ];
      return backend.executeSingleOutput("MatMul", flags, [a, b]);
    },
  };
}
