/**
 * Adam with decoupled weight decay.
 *
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   w = w - r d w - r (sqrt(1 - b2^t) / (1 - b1^t)) m / (sqrt(v) + eps sqrt(1 - b2^t))        t = 1, 2, ...
 *
 * Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1; the decay d as in Loshchilov and Hutter 2019 (arXiv 1711.05101),
 * algorithm 2. The corrections of the bias are computed from t in double precision, so a resumed run needs t alone.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, OptimizerConfig } from "./index.ts";

/** Makes {@link Optimizer} `adam`; its slots are `m` and `v`. */
export function adam(config: Extract<OptimizerConfig, { name: "adam" }>): Optimizer {
  const { beta1, beta2, epsilon, weightDecay } = config;
  return {
    slots: ["m", "v"],
    update({ weight, gradient, slots: [m, v], rate, step }) {
      const correction = Math.sqrt(1 - beta2 ** step);
      const nextM = tf.add(tf.mul(m!, beta1), tf.mul(gradient, 1 - beta1));
      const nextV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const size = (rate * correction) / (1 - beta1 ** step);
      const change = tf.div(tf.mul(nextM, size), tf.add(tf.sqrt(nextV), epsilon * correction));
      const decayed = weightDecay === 0 ? weight : tf.mul(weight, 1 - rate * weightDecay);
      return { weight: tf.sub(decayed, change), slots: [nextM, nextV] };
    },
  };
}
