/** The kernel name under which an engine does Adam's update of one weight in one piece. */
import * as tf from "@tensorflow/tfjs-core";

/** Inputs `weight`, `gradient`, `m`, `v`, `size` and `epsilon`; attributes `beta1` and `beta2`; outputs the next weight, m and v. */
export const ADAM_UPDATE = "AdamUpdate";

/** The numbers of one update: see optimizers/adam.ts. */
export interface AdamNumbers {
  readonly beta1: number;
  readonly beta2: number;
  /** Learning rate with the corrections of the bias. */
  readonly size: tf.Scalar;
  readonly epsilon: tf.Scalar;
}

/** Next weight, m and v, where the engine of this process computes them in one piece; `undefined` elsewhere. */
export function adamUpdate(
  inputs: { readonly weight: tf.Tensor; readonly gradient: tf.Tensor; readonly m: tf.Tensor; readonly v: tf.Tensor },
  { beta1, beta2, size, epsilon }: AdamNumbers,
): readonly [weight: tf.Tensor, m: tf.Tensor, v: tf.Tensor] | undefined {
  if (!tf.getKernel(ADAM_UPDATE, tf.getBackend())) return undefined;
  const attributes = { beta1, beta2 };
  const outputs = tf.engine().runKernel(ADAM_UPDATE, { ...inputs, size, epsilon }, attributes);
  return outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
}
