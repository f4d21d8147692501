/**
 * Products of two matrices by MatMul: tfjs-node has BatchMatMulV2 do all products, which for a single one takes a slower way.
 */
import * as tf from "@tensorflow/tfjs-core";
import { flagAttr, type KernelCall, type TensorflowKernel, typeAttr } from "./kernel.ts";

/** The matrix, alone or as a batch of one, which is how tfjs hands on a dense layer's. */
export function asMatrix(x: tf.Tensor): tf.Tensor | undefined {
  if (x.shape.length === 2) return x;
  return x.shape.length === 3 && x.shape[0] === 1 ? tf.reshape(x, x.shape.slice(1)) : undefined;
}

/** Made at installation, since it hands on to the kernel that it replaces. */
export function matMul(): TensorflowKernel {
  const stock = tf.getKernel("BatchMatMul", "tensorflow").kernelFunc as unknown as TensorflowKernel["run"];
  return {
    name: "BatchMatMul",
    run(call: KernelCall<{ readonly transposeA: boolean; readonly transposeB: boolean }>) {
      const { inputs, attrs, backend } = call;
      const [a, b] = [inputs.a!, inputs.b!].map(asMatrix);
      if (a === undefined || b === undefined || a.dtype !== "float32") return stock(call);
      const flags = [
        typeAttr(backend, "T"),
        flagAttr(backend, "transpose_a", attrs.transposeA),
        flagAttr(backend, "transpose_b", attrs.transposeB),
      ];
      const product = backend.executeSingleOutput("MatMul", flags, [a, b]);
      return inputs.a!.shape.length === 2 ? product : tf.reshape(product, [1, ...product.shape]);
    },
  };
}
