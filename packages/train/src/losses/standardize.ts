/**
 * Logit standardisation: each sample's logits to mean 0 and standard deviation 1 before a distillation loss, so that the
 * student need not match the size of the teacher's logits, only their pattern.
 *
 *   z' = (z - mean z) / (1e-7 + sd z)       sd over the C classes with C - 1 in the denominator
 *
 * Sun et al. 2024 (arXiv 2403.01427), algorithm 1. Two standardised logits are always +-0.7071: nothing would be left to learn.
 */
import * as tf from "@tensorflow/tfjs-core";

const EPSILON = 1e-7;

/** Standardises the rows of logits `[N, C]`, C > 2. */
export function standardize(logits: tf.Tensor2D): tf.Tensor2D {
  const centred = tf.sub(logits, tf.mean(logits, 1, true));
  const variance = tf.div(tf.sum(tf.square(centred), 1, true), logits.shape[1] - 1);
  return tf.div(centred, tf.add(tf.sqrt(variance), EPSILON)) as tf.Tensor2D;
}
