import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { DistillConfig, TrainingConfig } from "../config.ts";
import { LOSSES, type LossInput, type LossTerm } from "../losses/index.ts";

/** Losses of one step by name; `total` is their weighted sum. */
export type LossValues = Readonly<Record<string, number>>;

/** Gradients by weight name, and the losses they come from. The caller disposes the gradients. */
export interface StepResult {
  readonly losses: LossValues;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
}

/**
 * The objective of a network: labels alone for teachers and baselines, labels and teacher for students.
 * A term without weight is left out.
 */
export function objectiveOf(
  training: Pick<TrainingConfig, "labelSmoothing">,
  distill?: DistillConfig,
): readonly LossTerm[] {
  const ce = { name: "ce", weight: distill?.ceWeight ?? 1, smoothing: training.labelSmoothing } as const;
  const terms: readonly LossTerm[] = distill
    ? [ce, { name: "kd", weight: distill.kdWeight, temperature: distill.temperature }]
    : [ce];
  return terms.filter(({ weight }) => weight > 0);
}

/**
 * One forward and backward pass: `inputs` through the model in training mode, every term of the objective on its logits,
 * gradients of their weighted sum with respect to all trainable weights.
 */
export function trainingStep(
  model: LayersModel,
  objective: readonly LossTerm[],
  inputs: tf.Tensor,
  targets: Omit<LossInput, "student">,
): StepResult {
  const named = new Map<string, tf.Scalar>();
  const weights = model.trainableWeights.map((weight) => ({
    name: weight.name,
    variable: weight.read() as tf.Variable,
  }));
  const { value, grads } = tf.variableGrads(
    () => {
      const student = model.apply(inputs, { training: true }) as tf.Tensor2D;
      const weighted = objective.map((term) => {
        const loss = evaluateTerm(term, { ...targets, student });
        named.set(term.name, tf.keep(tf.clone(loss)));
        return tf.mul(loss, term.weight);
      });
      return tf.addN(weighted) as tf.Scalar;
    },
    weights.map(({ variable }) => variable),
  );
  const losses: Record<string, number> = {};
  for (const [name, loss] of named) {
    losses[name] = loss.dataSync()[0]!;
    loss.dispose();
  }
  losses.total = value.dataSync()[0]!;
  value.dispose();
  return { losses, gradients: new Map(weights.map(({ name, variable }) => [name, grads[variable.name]!])) };
}

function evaluateTerm(term: LossTerm, input: LossInput): tf.Scalar {
  return term.name === "ce" ? LOSSES.ce(input, term) : LOSSES.kd(input, term);
}
