/**
 * Batch normalisation in training, over all but the last axis, and its gradient, where an engine has a kernel for each:
 *
 *   y = g (x - mean) / sqrt(variance + eps) + b        mean, variance: of the batch, a channel each
 *   dx = g r [dy - mean(dy) - xhat mean(dy xhat)]      dg = sum(dy xhat)      db = sum(dy)      r = 1 / sqrt(variance + eps)
 *
 * Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and section 3. tfjs composes this of the moments and the normalisation,
 * each with a gradient of its own: some twenty passes over the map.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Inputs `x` `[N, H, W, C]`, `scale` and `offset` `[C]`; attribute `epsilon`; outputs y, mean, unbiased variance. */
export const BATCH_NORM = "TrainBatchNorm";

/** Inputs `dy`, `x`, `scale` and the forward outputs that were saved, `saved1` and on; outputs begin with dx, dg, db. */
export const BATCH_NORM_GRADIENT = "TrainBatchNormGrad";

/** What normalising a training batch gives. */
export interface NormalizedBatch {
  readonly output: tf.Tensor;
  readonly mean: tf.Tensor;
  /** Divided by n, not n - 1. */
  readonly variance: tf.Tensor;
}

/** Normalises over all but the last axis, where the engine of this process does it in one piece; `undefined` elsewhere. */
export function trainBatchNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  offset: tf.Tensor,
  epsilon: number,
): NormalizedBatch | undefined {
  if (!tf.getKernel(BATCH_NORM, tf.getBackend())) return undefined;
  const channels = x.shape.at(-1)!;
  const rows = x.size / channels;
  const map = x.rank === 4 ? x : tf.reshape(x, [rows, 1, 1, channels]);
  const outputs = tf.engine().runKernel(BATCH_NORM, { x: map, scale, offset }, { epsilon }) as tf.Tensor[];
  const [output, mean, unbiased] = outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
  return {
    output: x.rank === 4 ? output : tf.reshape(output, x.shape),
    mean,
    variance: tf.mul(unbiased, Math.max(1, rows - 1) / rows),
  };
}

/**
 * The gradient that an engine registers for {@link BATCH_NORM}.
 *
 * @param outputsToSave - Which outputs its gradient kernel is handed.
 */
export function batchNormGradients(outputsToSave: boolean[]): tf.GradConfig {
  return {
    kernelName: BATCH_NORM,
    inputsToSave: ["x", "scale"],
    outputsToSave,
    gradFunc(dys, [x, scale, ...saved], attrs) {
      const named = Object.fromEntries(saved.map((each, i) => [`saved${i + 1}`, each]));
      const inputs = { dy: (dys as unknown as tf.Tensor[])[0]!, x: x!, scale: scale!, ...named };
      // One kernel gives all three, but the tape asks for each in a scope of its own, and only for those that it needs.
      let made: readonly tf.Tensor[] | undefined;
      const make = (): readonly tf.Tensor[] => {
        const all = (tf.engine().runKernel(BATCH_NORM_GRADIENT, inputs, attrs) as tf.Tensor[]).slice(0, 3);
        for (const each of all) tf.keep(each);
        queueMicrotask(() => tf.dispose(all));
        return all;
      };
      const take = (index: number) => () => {
        made ??= make();
        return tf.clone(made[index]!);
      };
      return { x: take(0), scale: take(1), offset: take(2) };
    },
  };
}
