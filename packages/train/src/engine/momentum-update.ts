/** The kernel name under which an engine does an update by momentum of one weight in one piece. */
import * as tf from "@tensorflow/tfjs-core";

/** Inputs `weight`, `gradient`, `velocity` and `rate`; attribute `momentum`; outputs the next weight and velocity. */
export const MOMENTUM_UPDATE = "MomentumUpdate";

/** Next weight and velocity, where the engine of this process computes them in one piece; `undefined` elsewhere. */
export function momentumUpdate(
  inputs: { readonly weight: tf.Tensor; readonly gradient: tf.Tensor; readonly velocity: tf.Tensor },
  { momentum, rate }: { readonly momentum: number; readonly rate: tf.Scalar },
): readonly [weight: tf.Tensor, velocity: tf.Tensor] | undefined {
  if (!tf.getKernel(MOMENTUM_UPDATE, tf.getBackend())) return undefined;
  return tf.engine().runKernel(MOMENTUM_UPDATE, { ...inputs, rate }, { momentum }) as [tf.Tensor, tf.Tensor];
}
