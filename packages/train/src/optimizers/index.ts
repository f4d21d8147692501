import type * as tf from "@tensorflow/tfjs-core";
import type { TrainingConfig } from "../config.ts";
import { adam } from "./adam.ts";
import { sgd } from "./sgd.ts";

/** Which optimiser, with its knobs. */
export type OptimizerConfig = TrainingConfig["optimizer"];

/** A pure update rule; all of its state is in the slots, one tensor each per weight and zero at the start. */
export interface Optimizer {
  readonly slots: readonly string[];
  update(input: OptimizerInput): { readonly weight: tf.Tensor; readonly slots: readonly tf.Tensor[] };
}

/** What one update sees of one weight. */
export interface OptimizerInput {
  readonly weight: tf.Tensor;
  readonly gradient: tf.Tensor;
  readonly slots: readonly tf.Tensor[];
  readonly rate: number;
  /** Counted from 1. */
  readonly step: number;
}

/** All optimisers by name. */
export const OPTIMIZERS: {
  readonly [Name in OptimizerConfig["name"]]: (config: Extract<OptimizerConfig, { name: Name }>) => Optimizer;
} = { adam, sgd };

/** The update rule of a configuration. */
export function makeOptimizer(config: OptimizerConfig): Optimizer {
  return config.name === "adam" ? OPTIMIZERS.adam(config) : OPTIMIZERS.sgd(config);
}
