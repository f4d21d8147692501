/**
 * Cross-entropy of logits with target probabilities, row by row, and its slope, which come out of one pass:
 *
 *   L_n = - sum_c t_nc log softmax(z_n)_c        dL_n/dz_n = softmax(z_n) - t_n
 *
 * for targets that sum to 1. An engine may have one op for both.
 */
import * as tf from "@tensorflow/tfjs-core";

/** The kernel of an engine that has it: inputs `logits` and `target` `[N, C]`; outputs as of {@link crossEntropyRows}. */
export const CROSS_ENTROPY = "SoftmaxCrossEntropyRows";

/** Losses `[N]`, in nats, and slopes `[N, C]`. It is for use inside of a custom gradient: it has none itself. */
export function crossEntropyRows(
  logits: tf.Tensor2D,
  target: tf.Tensor2D,
): { readonly losses: tf.Tensor1D; readonly slopes: tf.Tensor2D } {
  if (tf.getKernel(CROSS_ENTROPY, tf.getBackend())) {
    const [losses, slopes] = tf.engine().runKernel(CROSS_ENTROPY, { logits, target }) as tf.Tensor[];
    return { losses: losses as tf.Tensor1D, slopes: slopes as tf.Tensor2D };
  }
  const logProbabilities = tf.logSoftmax(logits);
  return {
    losses: tf.neg(tf.sum(tf.mul(target, logProbabilities), -1)) as tf.Tensor1D,
    slopes: tf.sub(tf.exp(logProbabilities), target) as tf.Tensor2D,
  };
}
