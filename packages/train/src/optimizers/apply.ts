import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Optimizer } from "./index.ts";

/** The state of an optimiser: for each trainable weight, in the model's order, its slots. */
export interface OptimizerState {
  readonly slots: tf.Variable[][];
  dispose(): void;
}

/** Starts all slots at zero, or where a checkpoint left them (`values` weight by weight, slot by slot). */
export function startOptimizer(
  model: LayersModel,
  optimizer: Optimizer,
  values?: readonly Float32Array[],
): OptimizerState {
  const slots = model.trainableWeights.map((weight, index) =>
    optimizer.slots.map((_slot, place) => {
      const shape = weight.shape as number[];
      const saved = values?.[index * optimizer.slots.length + place];
      return tf.tidy(() => tf.variable(saved ? tf.tensor(saved, shape) : tf.zeros(shape), false));
    }),
  );
  const dispose = (): void => {
    for (const slot of slots.flat()) slot.dispose();
  };
  return { slots, dispose };
}

/** Applies one update to every trainable weight and disposes the gradients. */
export function applyGradients(
  model: LayersModel,
  optimizer: Optimizer,
  state: OptimizerState,
  gradients: ReadonlyMap<string, tf.Tensor>,
  at: { readonly rate: number; readonly step: number },
): void {
  for (const [index, layerWeight] of model.trainableWeights.entries()) {
    tf.tidy(() => {
      const weight = layerWeight.read() as tf.Variable;
      const slots = state.slots[index]!;
      const updated = optimizer.update({ weight, gradient: gradients.get(layerWeight.name)!, slots, ...at });
      weight.assign(updated.weight);
      for (const [place, slot] of slots.entries()) slot.assign(updated.slots[place]!);
    });
  }
  for (const gradient of gradients.values()) gradient.dispose();
}

/**
 * Scales gradients so that their global norm is at most `limit` (Pascanu et al. 2013, arXiv 1211.5063, algorithm 1).
 * Disposes what it replaces.
 */
export function clipByGlobalNorm(
  gradients: ReadonlyMap<string, tf.Tensor>,
  limit: number,
): ReadonlyMap<string, tf.Tensor> {
  const norm = tf.tidy(() =>
    Math.sqrt(tf.addN([...gradients.values()].map((g) => tf.sum(tf.square(g)))).dataSync()[0]!),
  );
  if (!(norm > limit)) return gradients;
  const clipped = new Map<string, tf.Tensor>();
  for (const [name, gradient] of gradients) {
    clipped.set(name, tf.mul(gradient, limit / norm));
    gradient.dispose();
  }
  return clipped;
}
