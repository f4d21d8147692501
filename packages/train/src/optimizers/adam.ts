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
import { adamUpdate } from "../engine/adam-update.ts";
import type { Optimizer, OptimizerConfig } from "./index.ts";

/** Makes {@link Optimizer} `adam`; its slots are `m` and `v`. */
export function adam({ beta1, beta2, epsilon }: Extract<OptimizerConfig, { name: "adam" }>): Omit<Optimizer, "decay"> {
  return {
    slots: ["m", "v"],
    numbers(rate, step) {
      const correction = Math.sqrt(1 - beta2 ** step);
      return { size: (rate * correction) / (1 - beta1 ** step), epsilon: epsilon * correction };
    },
    update({ weight, gradient, slots: [m, v], numbers }) {
      const { size, epsilon } = numbers as { readonly size: tf.Scalar; readonly epsilon: tf.Scalar };
      const once = adamUpdate({ weight, gradient, m: m!, v: v! }, { beta1, beta2, size, epsilon });
      if (once) return { weight: once[0], slots: once.slice(1) };
      const nextM = tf.add(tf.mul(m!, beta1), tf.mul(gradient, 1 - beta1));
      const nextV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const change = tf.div(tf.mul(nextM, size), tf.add(tf.sqrt(nextV), epsilon));
      return { weight: tf.sub(weight, change), slots: [nextM, nextV] };
    },
    inPlace({ gradient, numbers }) {
      // Without powers of the betas the op corrects nothing: the step's size has it already.
      const none = tf.scalar(0);
      return {
        op: "ResourceApplyAdam",
        attrs: { T: { kind: "type", value: 1 } },
        inputs: [none, none, numbers.size!, tf.scalar(beta1), tf.scalar(beta2), numbers.epsilon!, gradient],
      };
    },
  };
}
