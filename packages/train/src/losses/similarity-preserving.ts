/**
 * Similarity preserving: inputs that are alike for the teacher shall be alike for the student.
 *
 *   G = F F^T over the batch, rows to unit length       L = |G_s - G_t|^2 / N^2
 *
 * Tung and Mori 2019 (arXiv 1907.09682), eq. 4; no contrast, no memory. Features may have any shape on either side. Small
 * batches weaken it: it compares samples with each other.
 */
import * as tf from "@tensorflow/tfjs-core";

const EPSILON = 1e-12;

/** The loss of features `[N, ...]` of equal N; the teacher gets no gradient. */
export function similarityPreserving(student: tf.Tensor, teacher: tf.Tensor): tf.Scalar {
  return tf.mean(tf.square(tf.sub(similarities(student), similarities(teacher))));
}

function similarities(features: tf.Tensor): tf.Tensor {
  const rows = tf.reshape(features, [features.shape[0]!, -1]);
  const gram = tf.matMul(rows, rows, false, true);
  return tf.div(gram, tf.sqrt(tf.maximum(tf.sum(tf.square(gram), 1, true), EPSILON)));
}
