/** The kernel name under which an engine normalises a training batch in one piece. */
import * as tf from "@tensorflow/tfjs-core";

/** Inputs `x` `[N, H, W, C]`, `scale` and `offset` `[C]`; attribute `epsilon`; outputs y, mean, unbiased variance. */
export const BATCH_NORM = "TrainBatchNorm";

/** What normalising a training batch gives. */
export interface NormalizedBatch {
  readonly output: tf.Tensor;
  readonly mean: tf.Tensor;
  /** Divided by n, not n - 1. */
  readonly variance: tf.Tensor;
}

/** Normalises over all but the last axis, where the engine of this process does it in one piece; `undefined` elsewhere. */
export function trainBatchNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  offset: tf.Tensor,
  epsilon: number,
): NormalizedBatch | undefined {
  if (!tf.getKernel(BATCH_NORM, tf.getBackend())) return undefined;
  const channels = x.shape.at(-1)!;
  const rows = x.size / channels;
  const map = x.rank === 4 ? x : tf.reshape(x, [rows, 1, 1, channels]);
  const outputs = tf.engine().runKernel(BATCH_NORM, { x: map, scale, offset }, { epsilon }) as tf.Tensor[];
  const [output, mean, unbiased] = outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
  return {
    output: x.rank === 4 ? output : tf.reshape(output, x.shape),
    mean,
    variance: tf.mul(unbiased, Math.max(1, rows - 1) / rows),
  };
}
