/**
 * Cross-entropy with smoothed labels.
 *
 *   q = (1 - e) onehot(y) + e / C        L = mean over the batch of  - sum_c q_c log softmax(z)_c
 *   dL/dz = (softmax(z) - q) / N
 *
 * Label smoothing: Szegedy et al. 2016 (arXiv 1512.00567), section 7. The gradient is written out, since softmax and
 * logarithm cancel to a difference that is exact for any logits.
 */
import * as tf from "@tensorflow/tfjs-core";

/**
 * Cross-entropy of logits `[N, C]` with labels `[N]` (int32), in nats, averaged over the batch.
 *
 * @param smoothing - `e` above, in [0, 1).
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, smoothing = 0): tf.Scalar {
  const [, classes] = logits.shape;
  const onehot = tf.cast(tf.oneHot(labels, classes), "float32");
  const target = smoothing === 0 ? onehot : tf.add(tf.mul(onehot, 1 - smoothing), smoothing / classes);
  const loss = tf.customGrad((z, save) => {
    const logProbabilities = tf.logSoftmax(z as tf.Tensor2D);
    (save as tf.GradSaveFunc)([logProbabilities, target]);
    const value = tf.neg(tf.mean(tf.sum(tf.mul(target, logProbabilities), -1))) as tf.Scalar;
    const gradFunc = (dy: tf.Scalar, saved: tf.Tensor[]): tf.Tensor =>
      tf.mul(tf.sub(tf.exp(saved[0]!), saved[1]!), tf.div(dy, logits.shape[0]));
    return { value, gradFunc };
  });
  return loss(logits) as tf.Scalar;
}
