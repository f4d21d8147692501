/**
 * Distillation loss: how far the student's softened outputs are from the teacher's.
 *
 *   p^T = softmax(z / T)        L = T^2 * mean over the batch of  sum_c t_c^T (log t_c^T - log s_c^T)
 *   dL/dz_s = T (s^T - t^T) / N
 *
 * Hinton, Vinyals and Dean 2015 (arXiv 1503.02531), section 2. T^2 keeps the gradient's size independent of T. The sum
 * runs over the classes: an average over them too would weaken the term C times.
 */
import * as tf from "@tensorflow/tfjs-core";
import { crossEntropyRows } from "../engine/softmax-cross-entropy.ts";

/** Kullback-Leibler divergence of softened outputs, times T², in nats. Both logits are `[N, C]`; the teacher gets no gradient. */
export function distillation(student: tf.Tensor2D, teacher: tf.Tensor2D, temperature: number | tf.Scalar): tf.Scalar {
  const logTarget = tf.logSoftmax(tf.div(teacher, temperature) as tf.Tensor2D);
  const target = tf.exp(logTarget) as tf.Tensor2D;
  // The divergence is the cross-entropy less the teacher's own entropy.
  const entropy = tf.neg(tf.sum(tf.mul(target, logTarget), -1));
  const loss = tf.customGrad((z, save) => {
    const { losses, slopes } = crossEntropyRows(tf.div(z as tf.Tensor2D, temperature) as tf.Tensor2D, target);
    (save as tf.GradSaveFunc)([slopes]);
    const value = tf.mul(tf.mean(tf.sub(losses, entropy)), tf.square(temperature)) as tf.Scalar;
    const gradFunc = (dy: tf.Scalar, saved: tf.Tensor[]): tf.Tensor =>
      tf.mul(saved[0]!, tf.mul(dy, tf.div(temperature, student.shape[0])));
    return { value, gradFunc };
  });
  return loss(student) as tf.Scalar;
}
