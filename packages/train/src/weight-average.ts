/**
 * An exponential moving average of a model's weights: smoother than the weights themselves, and usually better on images that
 * were not trained on.
 *
 *   a = d a + (1 - d) w       d = min(decay, (1 + t) / (10 + t)) after step t = 1, 2, ...
 *
 * Polyak and Juditsky 1992; the rising d forgets the first, random weights, as in TensorFlow's ExponentialMovingAverage with
 * `num_updates`. Batch normalisation's own moving averages are averaged with the rest.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

/** The average of one model, weight by weight in its order. */
export interface WeightAverage {
  /** The share that the average keeps at step `step` (counted from 1): `d` above. */
  kept(step: number): number;
  /** Takes the weights in. */
  update(kept: tf.Scalar): void;
  values(): readonly Float32Array[];
  dispose(): void;
}

/** Starts at the model's weights, or where a checkpoint left it. */
export function averageWeights(model: LayersModel, decay: number, saved?: readonly Float32Array[]): WeightAverage {
  const averages = model
    .getWeights()
    .map((weight, i) =>
      tf.tidy(() => tf.variable(saved ? tf.tensor(saved[i]!, weight.shape) : tf.clone(weight), false)),
    );
  return {
    kept: (step) => Math.min(decay, (1 + step) / (10 + step)),
    update(kept) {
      const taken = tf.sub(1, kept);
      for (const [i, weight] of model.getWeights().entries()) {
        averages[i]!.assign(tf.add(tf.mul(averages[i]!, kept), tf.mul(weight, taken)));
      }
    },
    values: () => averages.map((average) => average.dataSync<"float32">().slice()),
    dispose() {
      for (const average of averages) average.dispose();
    },
  };
}
