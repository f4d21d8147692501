import type * as tf from "@tensorflow/tfjs-core";
import { crossEntropy } from "./cross-entropy.ts";
import { distillation } from "./distillation.ts";

/** What a loss sees of one batch. */
export interface LossInput {
  /** `[N, C]`. */
  readonly student: tf.Tensor2D;
  /** `[N]`, int32. */
  readonly labels: tf.Tensor1D;
  /** `[N, C]`; there while a teacher takes part. */
  readonly teacher?: tf.Tensor2D;
}

/** One term of an objective: which loss, how heavy, with which knobs. */
export type LossTerm =
  | { readonly name: "ce"; readonly weight: number; readonly smoothing: number }
  | { readonly name: "kd"; readonly weight: number; readonly temperature: number };

/** All losses by name. */
export const LOSSES: {
  readonly [Name in LossTerm["name"]]: (input: LossInput, term: Extract<LossTerm, { name: Name }>) => tf.Scalar;
} = {
  ce: ({ student, labels }, { smoothing }) => crossEntropy(student, labels, smoothing),
  kd: ({ student, teacher }, { temperature }) => {
    if (teacher === undefined) throw new Error("the kd loss needs teacher logits");
    return distillation(student, teacher, temperature);
  },
};
