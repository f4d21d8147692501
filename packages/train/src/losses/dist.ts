/**
 * DIST: the student shall correlate with the teacher, over the classes of each sample and over the samples of each class,
 * instead of matching it value by value: easier where the teacher is much the stronger.
 *
 *   p = softmax(z / T)       rho = Pearson's correlation
 *   L = T^2 [ beta (1 - mean over rows of rho(s_i, t_i)) + gamma (1 - mean over columns of rho(s_c, t_c)) ]
 *
 * Huang et al. 2022 (arXiv 2205.10536), eq. 7 to 9; T^2 as for plain distillation, so that T leaves the gradient's size alone.
 * A row of two probabilities has a correlation of 1 or -1 whatever it says.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Beside the product of two lengths, as the paper's code has it. */
const EPSILON = 1e-8;
/** Keeps the slope of a root finite where all probabilities are equal. */
const SMALLEST = 1e-30;

/** The loss of logits `[N, C]`, between 0 and 2 (beta + gamma) T²; the teacher gets no gradient. */
export function correlationDistillation(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  {
    beta,
    gamma,
    temperature,
  }: { readonly beta: number; readonly gamma: number; readonly temperature: number | tf.Scalar },
): tf.Scalar {
  const [s, t] = [student, teacher].map((logits) => tf.softmax(tf.div(logits, temperature) as tf.Tensor2D));
  const within = tf.sub(1, tf.mean(correlation(s!, t!, 1)));
  const across = tf.sub(1, tf.mean(correlation(s!, t!, 0)));
  return tf.mul(tf.add(tf.mul(within, beta), tf.mul(across, gamma)), tf.square(temperature)) as tf.Scalar;
}

/** Pearson's correlation along an axis. */
function correlation(a: tf.Tensor, b: tf.Tensor, axis: number): tf.Tensor {
  const centre = (x: tf.Tensor): tf.Tensor => tf.sub(x, tf.mean(x, axis, true));
  const length = (x: tf.Tensor): tf.Tensor => tf.sqrt(tf.maximum(tf.sum(tf.square(x), axis), SMALLEST));
  const [x, y] = [centre(a), centre(b)];
  return tf.div(tf.sum(tf.mul(x, y), axis), tf.add(tf.mul(length(x), length(y)), EPSILON));
}
