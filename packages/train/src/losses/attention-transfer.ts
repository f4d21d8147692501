/**
 * Attention transfer: student and teacher shall look at the same places.
 *
 *   Q = flatten(mean over channels of f^2), to unit length       L = mean over batch and places of (Q_s - Q_t)^2
 *
 * Zagoruyko and Komodakis 2017 (arXiv 1612.03928), activation-based with p = 2. The paper's eq. 2 sums where its published code
 * averages; this is the code's form, for which the usual weight of 1000 is meant. Channels may differ in number.
 */
import * as tf from "@tensorflow/tfjs-core";

const EPSILON = 1e-12;

/** The loss of feature maps `[N, H, W, C]` of equal N, H, W; the teacher gets no gradient. */
export function attentionTransfer(student: tf.Tensor, teacher: tf.Tensor): tf.Scalar {
  return tf.mean(tf.square(tf.sub(attention(student), attention(teacher))));
}

function attention(features: tf.Tensor): tf.Tensor {
  const map = tf.reshape(tf.mean(tf.square(features), -1), [features.shape[0]!, -1]);
  return tf.div(map, tf.sqrt(tf.maximum(tf.sum(tf.square(map), 1, true), EPSILON)));
}
