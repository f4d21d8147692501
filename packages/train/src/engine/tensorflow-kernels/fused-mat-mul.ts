/**
 * A dense layer that is linear, or that nobody asks for a gradient: product, bias and rectifier one right after the other, so that in
 * a graph TensorFlow fuses them. tfjs hands on matrices as batches of one, and a product that is a batch again before its bias is
 * added is an op alone.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelCall, TensorflowKernel } from "./kernel.ts";
import { asMatrix } from "./mat-mul.ts";

interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation: string;
}

/** Those that TensorFlow fuses. */
const ACTIVATIONS: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  linear: (x) => x,
  relu: tf.relu,
  relu6: tf.relu6,
};

/** Made at installation, since it hands on to the kernel that it replaces. */
export function fusedMatMul(): TensorflowKernel {
  const stock = tf.getKernel("_FusedMatMul", "tensorflow").kernelFunc as unknown as TensorflowKernel["run"];
  return {
    name: "_FusedMatMul",
    run(call: KernelCall<Attributes>) {
      const { transposeA, transposeB, activation } = call.attrs;
      const activate = ACTIVATIONS[activation];
      const { bias } = call.inputs;
      const [a, b] = [call.inputs.a!, call.inputs.b!].map(asMatrix);
      const areMatrices = a !== undefined && b !== undefined && bias !== undefined && bias.shape.length <= 2;
      if (!areMatrices || activate === undefined) return stock(call);
      const activated = activate(tf.add(tf.matMul(a, b, transposeA, transposeB), bias));
      return tf.reshape(activated, [1, ...activated.shape]);
    },
  };
}
