/**
 * Rounding as the integer file will do it, with gradients that look through it (straight-through, Bengio et al. 2013, arXiv
 * 1308.3432; Jacob et al. 2018, arXiv 1712.05877, section 3):
 *
 *   weight      w' = s round(w / s),  s = max |w| / 127 a channel;                        dL/dw = dL/dw'
 *   activation  x' = s (clamp(round(x / s) + z, 0, 255) - z),  s = (max - min) / 255;     dL/dx = dL/dx' within the range, else 0
 *
 * Zero is in every range and is represented exactly; scales and ranges get no gradient.
 */
import * as tf from "@tensorflow/tfjs-core";

const LEVELS = { weight: 127, activation: 255 } as const;
/** A channel of zeros has a scale all the same. */
const LEAST_SCALE = 1e-12;

/** Rounds weights; `axes` are those that share a scale. */
export function fakeQuantizeWeight(weight: tf.Tensor, axes: readonly number[]): tf.Tensor {
  const round = tf.customGrad((w) => {
    const kernel = w as tf.Tensor;
    const scale = tf.maximum(tf.div(tf.max(tf.abs(kernel), [...axes], true), LEVELS.weight), LEAST_SCALE);
    const value = tf.mul(tf.round(tf.div(kernel, scale)), scale);
    return { value, gradFunc: (dy: tf.Tensor) => dy };
  });
  return round(weight);
}

/** Rounds activations to 256 levels over `[min, max]`, two scalars with zero between them. */
export function fakeQuantizeActivation(activation: tf.Tensor, min: tf.Tensor, max: tf.Tensor): tf.Tensor {
  const round = tf.customGrad((x, save) => {
    const input = x as tf.Tensor;
    const scale = tf.maximum(tf.div(tf.sub(max, min), LEVELS.activation), LEAST_SCALE);
    const zero = tf.round(tf.div(tf.neg(min), scale));
    const low = tf.mul(tf.neg(zero), scale);
    const high = tf.mul(tf.sub(LEVELS.activation, zero), scale);
    const clamped = tf.minimum(tf.maximum(input, low), high);
    const value = tf.mul(tf.round(tf.div(clamped, scale)), scale);
    (save as tf.GradSaveFunc)([input, low, high]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [source, from, to] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      const inside = tf.logicalAnd(tf.greaterEqual(source, from), tf.lessEqual(source, to));
      return tf.mul(dy, tf.cast(inside, "float32"));
    };
    return { value, gradFunc };
  });
  return round(activation);
}
