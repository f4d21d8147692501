/**
 * Batch normalisation in training and its gradient (formulas in train-batch-norm.ts), one op each. TensorFlow's op gives the
 * unbiased variance of the batch.
 */
import * as tf from "@tensorflow/tfjs-core";
import { BATCH_NORM, BATCH_NORM_GRADIENT, batchNormGradients } from "../train-batch-norm.ts";
import { flagAttr, type KernelCall, realAttr, type TensorflowKernel, textAttr, typeAttr } from "./kernel.ts";

interface Epsilon {
  readonly epsilon: number;
}

const attrsOf = ({ attrs, backend }: KernelCall<Epsilon>) => [
  typeAttr(backend, "T"),
  typeAttr(backend, "U"),
  realAttr(backend, "epsilon", attrs.epsilon),
  textAttr(backend, "data_format", "NHWC"),
  flagAttr(backend, "is_training", true),
];

/** Gives y, mean, unbiased variance, and three tensors that only the gradient understands. */
export const trainBatchNorm: TensorflowKernel = {
  name: BATCH_NORM,
  run(call: KernelCall<Epsilon>) {
    const { x, scale, offset } = call.inputs;
    const none = tf.tensor1d([], "float32");
    const outputs = call.backend.executeMultipleOutputs(
      "FusedBatchNormV3",
      attrsOf(call),
      [x!, scale!, offset!, none, none],
      6,
    );
    none.dispose();
    return outputs;
  },
};

/** Gives dx, dg and db (and two empty tensors). */
export const trainBatchNormGradient: TensorflowKernel = {
  name: BATCH_NORM_GRADIENT,
  run(call: KernelCall<Epsilon>) {
    const { dy, x, scale, saved1, saved2, saved3 } = call.inputs;
    const inputs = [dy!, x!, scale!, saved1!, saved2!, saved3!];
    return call.backend.executeMultipleOutputs("FusedBatchNormGradV3", attrsOf(call), inputs, 5);
  },
};

/** The gradient that uses it: the op needs its last three outputs. */
export const trainBatchNormGradients: tf.GradConfig = batchNormGradients([false, false, false, true, true, true]);
