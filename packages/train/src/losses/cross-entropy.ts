/**
 * Cross-entropy with smoothed labels.
 *
 *   q = (1 - e) onehot(y) + e / C        L = sum_n s_n  - sum_c q_c log softmax(z)_c
 *   dL/dz_n = s_n (softmax(z_n) - q_n)
 *
 * Label smoothing: Szegedy et al. 2016 (arXiv 1512.00567), section 7. The gradient is written out, since softmax and
 * logarithm cancel to a difference that is exact for any logits.
 */
import * as tf from "@tensorflow/tfjs-core";

/**
 * Cross-entropy of logits `[N, C]` with labels `[N]` (int32), in nats.
 *
 * @param smoothing - `e` above, in [0, 1).
 * @param shares - `s` above, `[N]`: each sample's share of the whole; left out, all have 1 / N, which makes it the mean.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, smoothing = 0, shares?: tf.Tensor): tf.Scalar {
  const [samples, classes] = logits.shape;
  const onehot = tf.cast(tf.oneHot(labels, classes), "float32");
  const target = smoothing === 0 ? onehot : tf.add(tf.mul(onehot, 1 - smoothing), smoothing / classes);
  const loss = tf.customGrad((z, save) => {
    const logProbabilities = tf.logSoftmax(z as tf.Tensor2D);
    (save as tf.GradSaveFunc)([logProbabilities, target, ...(shares ? [tf.expandDims(shares, 1)] : [])]);
    const each = tf.sum(tf.mul(target, logProbabilities), -1);
    const value = tf.neg(shares ? tf.sum(tf.mul(each, shares)) : tf.mean(each)) as tf.Scalar;
    const gradFunc = (dy: tf.Scalar, saved: tf.Tensor[]): tf.Tensor => {
      const [logs, targets, share] = saved;
      const slope = tf.sub(tf.exp(logs!), targets!);
      return share ? tf.mul(slope, tf.mul(dy, share)) : tf.mul(slope, tf.div(dy, samples));
    };
    return { value, gradFunc };
  });
  return loss(logits) as tf.Scalar;
}
