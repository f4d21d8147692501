/**
 * Batch normalisation in training, over all but the last axis of `[N, H, W, C]`, and its gradient, one op each:
 *
 *   y = g (x - mean) / sqrt(variance + eps) + b        mean, variance: of the batch, a channel each
 *   dx = g r [dy - mean(dy) - xhat mean(dy xhat)]      dg = sum(dy xhat)      db = sum(dy)      r = 1 / sqrt(variance + eps)
 *
 * Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and section 3. tfjs composes this of the moments and the normalisation,
 * each with a gradient of its own: some twenty passes over the map where two ops do. TensorFlow's op gives the unbiased variance
 * of the batch.
 */
import * as tf from "@tensorflow/tfjs-core";
import { BATCH_NORM } from "../train-batch-norm.ts";
import { flagAttr, type KernelCall, realAttr, type TensorflowKernel, textAttr, typeAttr } from "./kernel.ts";

const GRADIENT = `${BATCH_NORM}Grad`;

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
  name: GRADIENT,
  run(call: KernelCall<Epsilon>) {
    const { dy, x, scale, saved1, saved2, saved3 } = call.inputs;
    const inputs = [dy!, x!, scale!, saved1!, saved2!, saved3!];
    return call.backend.executeMultipleOutputs("FusedBatchNormGradV3", attrsOf(call), inputs, 5);
  },
};

/** The gradient that uses it. */
export const trainBatchNormGradients: tf.GradConfig = {
  kernelName: BATCH_NORM,
  inputsToSave: ["x", "scale"],
  outputsToSave: [false, false, false, true, true, true],
  gradFunc(dys, [x, scale, saved1, saved2, saved3], attrs) {
    const inputs = {
      dy: (dys as unknown as tf.Tensor[])[0]!,
      x: x!,
      scale: scale!,
      saved1: saved1!,
      saved2: saved2!,
      saved3: saved3!,
    };
    // One op gives all three, but the tape asks for each in a scope of its own, and only for those that it needs.
    let made: readonly tf.Tensor[] | undefined;
    const make = (): readonly tf.Tensor[] => {
      const all = (tf.engine().runKernel(GRADIENT, inputs, attrs) as tf.Tensor[]).slice(0, 3);
      for (const each of all) tf.keep(each);
      queueMicrotask(() => tf.dispose(all));
      return all;
    };
    const take = (index: number) => () => {
      made ??= make();
      return tf.clone(made[index]!);
    };
    return { x: take(0), scale: take(1), offset: take(2) };
  },
};
