import { DistillateError } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { updateInPlace } from "../engine/capture/recorder.ts";
import type { Optimizer } from "./index.ts";

/** The state of an optimiser: for each trainable weight, in the model's order, its slots. */
export interface OptimizerState {
  readonly slots: tf.Variable[][];
  dispose(): void;
}

/**
 * Starts all slots at zero, or where a checkpoint left them (`values` weight by weight, slot by slot).
 *
 * @throws DistillateError `checkpoint-corrupted` where those are another optimiser's, or another network's.
 */
export function startOptimizer(
  model: LayersModel,
  optimizer: Optimizer,
  values?: readonly Float32Array[],
): OptimizerState {
  if (values) checkSlots(model.trainableWeights, optimizer, values);
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

/** @throws DistillateError `checkpoint-corrupted` where values are not an optimiser's slots of some weights. */
export function checkSlots(
  weights: LayersModel["weights"],
  { slots }: Pick<Optimizer, "slots">,
  values: readonly Float32Array[],
): void {
  const expected = weights.flatMap(({ shape }) => slots.map(() => tf.util.sizeFromShape(shape as number[])));
  const found = values.map(({ length }) => length);
  if (expected.length === found.length && expected.every((length, i) => length === found[i])) return;
  throw new DistillateError({
    code: "checkpoint-corrupted",
    message: `a saved optimiser has ${found.length} arrays of ${sum(found)} numbers, not ${expected.length} of ${sum(expected)}`,
    hint: "It is that of another network or optimiser: remove the saved training state to begin anew.",
  });
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((all, length) => all + length, 0);
}

/** The numbers of one step by name, `decay` among them: see {@link Optimizer.numbers}. */
export function numbersOf(optimizer: Optimizer, rate: number, step: number): Readonly<Record<string, number>> {
  return { ...optimizer.numbers(rate, step), ...(optimizer.decay && { decay: optimizer.decay(rate) }) };
}

/** Applies one update to every trainable weight. Runs inside a `tidy`. */
export function applyGradients(
  model: LayersModel,
  optimizer: Optimizer,
  state: OptimizerState,
  gradients: ReadonlyMap<string, tf.Tensor>,
  numbers: Readonly<Record<string, tf.Scalar>>,
): void {
  for (const [index, layerWeight] of model.trainableWeights.entries()) {
    const weight = layerWeight.read() as tf.Variable;
    const slots = state.slots[index]!;
    const gradient = gradients.get(layerWeight.name)!;
    if (optimizer.decay) weight.assign(tf.mul(weight, numbers.decay!));
    updateInPlace(
      () => ({ ...optimizer.inPlace({ gradient, numbers }), variables: [weight, ...slots] }),
      () => {
        const updated = optimizer.update({ weight, gradient, slots, numbers });
        weight.assign(updated.weight);
        for (const [place, slot] of slots.entries()) slot.assign(updated.slots[place]!);
      },
    );
  }
}

/** Scales gradients so that their global norm is at most `limit` (Pascanu et al. 2013, arXiv 1211.5063, algorithm 1). */
export function clipByGlobalNorm(
  gradients: ReadonlyMap<string, tf.Tensor>,
  limit: number,
): ReadonlyMap<string, tf.Tensor> {
  const norm = tf.sqrt(tf.addN([...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)))));
  const scale = tf.div(limit, tf.maximum(norm, limit));
  return new Map([...gradients].map(([name, gradient]) => [name, tf.mul(gradient, scale)]));
}
