/**
 * Decoupled knowledge distillation: the target class against all others, and the others among themselves, weighed apart.
 *
 *   b = (p_y, 1 - p_y)       q = softmax over the classes other than y       p, q at temperature T
 *   L = T^2 mean over the batch of  [ alpha KL(b_t || b_s) + beta KL(q_t || q_s) ]
 *
 * Zhao et al. 2022 (arXiv 2203.08679), eq. 7. Plain distillation is the case alpha = 1, beta = 1 - p_y of the teacher, which
 * mutes what the others say just where the teacher is sure. With two classes q is always 1, so the second term is nothing.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Takes the target class out of a softmax: exp(-1000) is zero in single precision. */
const MASKED = -1000;

/** The loss of logits `[N, C]` and labels `[N]` (int32), in nats; the teacher gets no gradient. */
export function decoupledDistillation(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  labels: tf.Tensor1D,
  {
    alpha,
    beta,
    temperature,
  }: { readonly alpha: number; readonly beta: number; readonly temperature: number | tf.Scalar },
): tf.Scalar {
  const target = tf.cast(tf.oneHot(labels, student.shape[1]), "float32");
  const others = tf.sub(1, target);
  const mask = tf.mul(target, MASKED);
  const split = (
    logits: tf.Tensor2D,
  ): { readonly own: tf.Tensor; readonly rest: tf.Tensor; readonly among: tf.Tensor } => {
    const soft = tf.div(logits, temperature) as tf.Tensor2D;
    const all = tf.logSumExp(soft, -1);
    return {
      own: tf.sub(tf.sum(tf.mul(soft, target), -1), all),
      rest: tf.sub(tf.logSumExp(tf.add(soft, mask), -1), all),
      among: tf.logSoftmax(tf.add(soft, mask) as tf.Tensor2D),
    };
  };
  const [s, t] = [split(student), split(teacher)];
  const divergence = (logT: tf.Tensor, logS: tf.Tensor): tf.Tensor => tf.mul(tf.exp(logT), tf.sub(logT, logS));
  const targetTerm = tf.add(divergence(t.own, s.own), divergence(t.rest, s.rest));
  const otherTerm = tf.sum(tf.mul(others, divergence(t.among, s.among)), -1);
  const total = tf.add(tf.mul(targetTerm, alpha), tf.mul(otherTerm, beta));
  return tf.mul(tf.mean(total), tf.square(temperature)) as tf.Scalar;
}
