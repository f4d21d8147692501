/**
 * Relational distillation: the distances between samples and the angles in every triple of them, instead of the features
 * themselves, whose number may so differ between student and teacher.
 *
 *   d_ij = |f_i - f_j| / mean of the nonzero distances              psi_ijk = cos of the angle at i between j and k
 *   L = distance * mean_ij huber(d_s - d_t) + angle * mean_ijk huber(psi_s - psi_t)
 *
 * Park et al. 2019 (arXiv 1904.05068), eq. 5 to 9; huber with delta = 1. Feature maps are averaged over their places first.
 * Angles cost N^3 numbers: 64 samples take 1 MB.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Keeps the slope of a root finite for a sample's distance from itself. */
const EPSILON = 1e-12;

/** The loss of features `[N, C]` or maps `[N, H, W, C]` of equal N; the teacher gets no gradient. */
export function relationalDistillation(
  student: tf.Tensor,
  teacher: tf.Tensor,
  { distance, angle }: { readonly distance: number; readonly angle: number },
): tf.Scalar {
  const [s, t] = [relations(student), relations(teacher)];
  const distances = tf.mean(huber(tf.sub(s.distances, t.distances)));
  const angles = tf.mean(huber(tf.sub(s.angles, t.angles)));
  return tf.add(tf.mul(distances, distance), tf.mul(angles, angle));
}

function relations(features: tf.Tensor): { readonly distances: tf.Tensor; readonly angles: tf.Tensor } {
  const rows = (features.rank === 4 ? tf.mean(features, [1, 2]) : features) as tf.Tensor2D;
  const count = rows.shape[0];
  const differences = tf.sub(tf.expandDims(rows, 0), tf.expandDims(rows, 1));
  const lengths = tf.sqrt(tf.maximum(tf.sum(tf.square(differences), -1), EPSILON));
  const apart = tf.mul(lengths, tf.sub(1, tf.eye(count)));
  const mean = tf.maximum(tf.div(tf.sum(apart), Math.max(1, count * (count - 1))), EPSILON);
  const directions = tf.div(differences, tf.expandDims(lengths, -1));
  return { distances: tf.div(apart, mean), angles: tf.matMul(directions, directions, false, true) };
}

function huber(difference: tf.Tensor): tf.Tensor {
  const size = tf.abs(difference);
  const near = tf.minimum(size, 1);
  return tf.add(tf.mul(tf.square(near), 0.5), tf.sub(size, near));
}
