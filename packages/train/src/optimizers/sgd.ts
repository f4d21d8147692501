/**
 * Stochastic gradient descent with momentum and decoupled weight decay.
 *
 *   u = mu u + g        w = w - r d w - r u
 *
 * Polyak's momentum as in Sutskever et al. 2013, eq. 1 and 2, with the rate outside the velocity, so that a schedule acts
 * at once.
 */
import * as tf from "@tensorflow/tfjs-core";
import { momentumUpdate } from "../engine/momentum-update.ts";
import type { Optimizer, OptimizerConfig } from "./index.ts";

/** Makes {@link Optimizer} `sgd`; its slot is the velocity `u`. */
export function sgd({ momentum }: Extract<OptimizerConfig, { name: "sgd" }>): Omit<Optimizer, "decay"> {
  return {
    slots: ["u"],
    numbers: (rate) => ({ rate }),
    update({ weight, gradient, slots: [velocity], numbers }) {
      const rate = numbers.rate!;
      const once = momentumUpdate({ weight, gradient, velocity: velocity! }, { momentum, rate });
      if (once) return { weight: once[0], slots: [once[1]] };
      const next = tf.add(tf.mul(velocity!, momentum), gradient);
      return { weight: tf.sub(weight, tf.mul(next, rate)), slots: [next] };
    },
    inPlace: ({ gradient, numbers }) => ({
      op: "ResourceApplyMomentum",
      attrs: { T: { kind: "type", value: 1 } },
      inputs: [numbers.rate!, gradient, tf.scalar(momentum)],
    }),
  };
}
