/**
 * Random numbers that are a function of (seed, step): no generator has a state that a checkpoint would have to keep, and a
 * captured step draws anew each time that it is told another number.
 */
import * as tf from "@tensorflow/tfjs-core";
import { nextUnit, randomFor } from "../random.ts";

/** The kernel of an engine that draws them itself: input `step` (int32), attributes `shape` and `seed`. */
export const SEEDED_UNIFORM = "SeededUniform";

/** Uniform numbers in [0, 1). Each engine has its own, the same on every run. */
export function seededUniform(shape: readonly number[], seed: number, step: number | tf.Scalar): tf.Tensor {
  if (tf.getKernel(SEEDED_UNIFORM, tf.getBackend())) {
    const at = typeof step === "number" ? tf.scalar(step, "int32") : step;
    return tf.engine().runKernel(SEEDED_UNIFORM, { step: at }, { shape: [...shape], seed }) as tf.Tensor;
  }
  const random = randomFor(seed, typeof step === "number" ? step : step.dataSync()[0]!);
  const values = new Float32Array(tf.util.sizeFromShape([...shape]));
  for (let i = 0; i < values.length; i++) values[i] = nextUnit(random);
  return tf.tensor(values, [...shape]);
}
