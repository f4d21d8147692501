/**
 * Stochastic gradient descent with momentum and decoupled weight decay.
 *
 *   u = mu u + g        w = w - r d w - r u
 *
 * Polyak's momentum as in Sutskever et al. 2013, eq. 1 and 2, with the rate outside the velocity, so that a schedule acts
 * at once.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, OptimizerConfig } from "./index.ts";

/** Makes {@link Optimizer} `sgd`; its slot is the velocity `u`. */
export function sgd(config: Extract<OptimizerConfig, { name: "sgd" }>): Optimizer {
  const { momentum, weightDecay } = config;
  return {
    slots: ["u"],
    update({ weight, gradient, slots: [velocity], rate }) {
      const next = tf.add(tf.mul(velocity!, momentum), gradient);
      const decayed = weightDecay === 0 ? weight : tf.mul(weight, 1 - rate * weightDecay);
      return { weight: tf.sub(decayed, tf.mul(next, rate)), slots: [next] };
    },
  };
}
