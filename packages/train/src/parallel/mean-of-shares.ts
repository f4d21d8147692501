/** What all workers of a step found as one. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { loopsOf } from "../engine/simd/loops.ts";
import { addressesOf } from "../engine/wasm-kernels/kernel.ts";
import type { Board } from "./board.ts";
import { ownWeights, sizeOf, splitBy, tensorOf } from "./flat-weights.ts";
import { shareOf } from "./shares.ts";

/** The findings of a step. */
export interface Findings {
  /** Of the trainable weights, in their order. */
  readonly gradients: readonly tf.Tensor[];
  /** Weights that no gradient reaches. */
  readonly own: Float32Array;
  readonly losses: Float32Array;
}

/** A worker with something to do, and its part of the batch. */
interface Share {
  readonly worker: number;
  readonly part: number;
}

/**
 * Averages what all workers found by the sizes of their shares, in the workers' order:
 *
 *   sum over w of  n_w / n  f_w          and for weights, so that what nobody changed stays to the bit, with the last worker l
 *   f_l + sum over w of  n_w / n (f_w - f_l)
 *
 * Runs inside a `tidy`.
 *
 * @param board - With gradients, own weights and losses of each worker one after the other; without the gradients of worker 0.
 * @param mine - Gradients of worker 0, which is this thread; none where its share is empty.
 * @param size - Samples of the batch.
 */
export function meanOfShares(
  model: Pick<LayersModel, "trainableWeights" | "nonTrainableWeights">,
  { findings }: Pick<Board, "findings">,
  mine: readonly tf.Tensor[],
  size: number,
): Findings {
  const weights = model.trainableWeights;
  const shares = findings.flatMap((_, worker): Share[] => {
    const [from, to] = shareOf(size, findings.length, worker);
    return from < to ? [{ worker, part: (to - from) / size }] : [];
  });
  const ownStart = sizeOf(weights);
  const lossStart = ownStart + sizeOf(ownWeights(model));
  const gradientsOf = (worker: number): readonly tf.Tensor[] => {
    if (worker === 0) return mine;
    const values = splitBy(weights, findings[worker]!.subarray(0, ownStart));
    return values.map((each, i) => tensorOf(each, weights[i]!.shape as number[]));
  };

  const [first, ...others] = shares as [Share, ...Share[]];
  let gradients = gradientsOf(first.worker);
  for (const [i, { worker, part }] of others.entries()) {
    const next = gradientsOf(worker);
    for (const [k, sum] of gradients.entries()) addInto(next[k]!, part, sum, i === 0 ? first.part : 1);
    gradients = next;
  }
  return {
    gradients,
    own: Float32Array.from({ length: lossStart - ownStart }, (_, i) => around(findings, shares, ownStart + i)),
    losses: Float32Array.from({ length: findings[0]!.length - lossStart }, (_, i) =>
      shares.reduce((sum, { worker, part }) => sum + part * findings[worker]![lossStart + i]!, 0),
    ),
  };
}

/** target[i] = b sum[i] + a target[i], where it lies: nobody else has seen it. */
function addInto(target: tf.Tensor, a: number, sum: tf.Tensor, b: number): void {
  const backend = tf.backend() as BackendWasm;
  const parts = backend.makeOutput([2], "float32");
  backend.typedArrayFromHeap(parts).set([b, a]);
  const [from, to, by] = addressesOf(backend, [sum, target, parts]);
  loopsOf(backend).weightedSum(from, to, by, to, target.size);
  backend.disposeData(parts.dataId);
}

/** The mean as a deviation from the last worker's value: that share is the largest, and never empty. */
function around(findings: Board["findings"], shares: readonly Share[], place: number): number {
  const start = findings.at(-1)![place]!;
  let sum = start;
  for (const { worker, part } of shares) {
    if (worker < findings.length - 1) sum += part * (findings[worker]![place]! - start);
  }
  return sum;
}
