/**
 * Batch normalisation that an engine may do in one piece while training.
 *
 *   moving = moving - (moving - batch) (1 - momentum)        for the mean and the biased variance, as in tfjs
 *
 * Everything else is the stock layer's: its weights, its inference and its name in model.json, so that the file loads in any tfjs.
 */
import * as tf from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { trainBatchNorm } from "../engine/train-batch-norm.ts";

type Config = Parameters<typeof layers.batchNormalization>[0];
type Weight = { read(): tf.Tensor; write(value: tf.Tensor): void };
type Stock = layers.Layer & {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: Weight;
  readonly beta?: Weight;
  readonly movingMean: Weight;
  readonly movingVariance: Weight;
};

// tfjs gives the class only as what its function makes.
const StockBatchNorm = layers.batchNormalization({}).constructor as new (config: Config) => Stock;

/** See the file's header. */
export class FusedBatchNorm extends StockBatchNorm {
  override call(inputs: tf.Tensor | tf.Tensor[], options: { readonly training?: boolean }): tf.Tensor | tf.Tensor[] {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    const { gamma, beta } = this;
    const isLast = this.axis === -1 || this.axis === x.rank - 1;
    if (options.training !== true || !isLast || gamma === undefined || beta === undefined) {
      return super.call(inputs, options);
    }
    return tf.tidy(() => {
      const batch = trainBatchNorm(x, gamma.read(), beta.read(), this.epsilon);
      if (batch === undefined) return super.call(inputs, options);
      for (const [weight, value] of [
        [this.movingMean, batch.mean],
        [this.movingVariance, batch.variance],
      ] as const) {
        const old = weight.read();
        weight.write(tf.sub(old, tf.mul(tf.sub(old, value), 1 - this.momentum)));
      }
      return batch.output;
    });
  }
}
