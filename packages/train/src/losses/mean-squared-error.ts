/**
 * Mean squared difference, over every element.
 *
 *   L = mean (s - t)^2
 *
 * On logits: Ba and Caruana 2014 (arXiv 1312.6184), eq. 1, and Tang et al. 2019 (arXiv 1903.12136), section 3.1: the choice for
 * two classes, where softened probabilities say little. On a regressed feature map: the hint of Romero et al. 2015 (FitNets,
 * arXiv 1412.6550), eq. 3.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Mean of the squared difference of two tensors of one shape. */
export function meanSquaredError(student: tf.Tensor, teacher: tf.Tensor): tf.Scalar {
  return tf.mean(tf.square(tf.sub(student, teacher)));
}
