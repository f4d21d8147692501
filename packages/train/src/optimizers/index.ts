import type * as tf from "@tensorflow/tfjs-core";
import type { TrainingConfig } from "../config.ts";
import type { InPlaceUpdate } from "../engine/capture/recorder.ts";
import { adam } from "./adam.ts";
import { sgd } from "./sgd.ts";

/** Which optimiser, with its knobs. */
export type OptimizerConfig = TrainingConfig["optimizer"];

/** An update rule; all of its state is in the slots, one tensor each per weight and zero at the start. */
export interface Optimizer {
  readonly slots: readonly string[];
  /** What a weight is multiplied by before its update, at a learning rate; left out where weights do not decay. */
  readonly decay?: (rate: number) => number;
  /**
   * The numbers of one step, which the update is handed as tensors: JavaScript computes them in double precision, and a captured
   * step is told them anew each time.
   *
   * @param step - Counted from 1.
   */
  numbers(rate: number, step: number): Readonly<Record<string, number>>;
  update(input: OptimizerInput): { readonly weight: tf.Tensor; readonly slots: readonly tf.Tensor[] };
  /** The same update as one op of TensorFlow on a weight and its slots. */
  inPlace(input: Pick<OptimizerInput, "gradient" | "numbers">): Omit<InPlaceUpdate, "variables">;
}

/** What one update sees of one weight. */
export interface OptimizerInput {
  readonly weight: tf.Tensor;
  readonly gradient: tf.Tensor;
  readonly slots: readonly tf.Tensor[];
  readonly numbers: Readonly<Record<string, tf.Scalar>>;
}

/** All optimisers by name. */
export const OPTIMIZERS: {
  readonly [Name in OptimizerConfig["name"]]: (config: Extract<OptimizerConfig, { name: Name }>) => Optimizer;
} = { adam, sgd };

/** The update rule of a configuration. */
export function makeOptimizer(config: OptimizerConfig): Optimizer {
  const rule = config.name === "adam" ? OPTIMIZERS.adam(config) : OPTIMIZERS.sgd(config);
  return config.weightDecay === 0 ? rule : { ...rule, decay: (rate) => 1 - rate * config.weightDecay };
}
