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
import { crossEntropyRows } from "../engine/softmax-cross-entropy.ts";

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
    const { losses, slopes } = crossEntropyRows(z as tf.Tensor2D, target as tf.Tensor2D);
    (save as tf.GradSaveFunc)([slopes, ...(shares ? [tf.expandDims(shares, 1)] : [])]);
    const value = (shares ? tf.sum(tf.mul(losses, shares)) : tf.mean(losses)) as tf.Scalar;
    const gradFunc = (dy: tf.Scalar, [slope, share]: tf.Tensor[]): tf.Tensor =>
      tf.mul(slope!, share ? tf.mul(dy, share) : tf.div(dy, samples));
    return { value, gradFunc };
  });
  return loss(logits) as tf.Scalar;
}
