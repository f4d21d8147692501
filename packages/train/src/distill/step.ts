import * as tf from "@tensorflow/tfjs-core";
import { nameInputFilters } from "../engine/input-filters.ts";
import { LOSSES, type LossInput, type LossTerm, type MovedTerm } from "../losses/index.ts";
import { applyTapped, type TappedModel } from "./taps.ts";

/** Gradients by weight name, and the losses they come from by theirs; `total` is the losses' weighted sum. */
export interface StepResult {
  readonly losses: Readonly<Record<string, tf.Scalar>>;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
}

/**
 * One forward and backward pass: `inputs` through the model in training mode, every term of the objective on what comes out,
 * gradients of their weighted sum with respect to all trainable weights. Runs inside a `tidy`.
 */
export function trainingStep(
  network: TappedModel,
  objective: readonly (LossTerm | MovedTerm)[],
  inputs: tf.Tensor,
  targets: Omit<LossInput, "student">,
): StepResult {
  const losses: Record<string, tf.Scalar> = {};
  const weights = network.model.trainableWeights.map((weight) => ({
    name: weight.name,
    variable: weight.read() as tf.Variable,
  }));
  nameInputFilters(network.model);
  const { value, grads } = tf.variableGrads(
    () => {
      const student = applyTapped(network, inputs, true);
      const weighted = objective.map((term) => {
        const loss = evaluateTerm(term, { ...targets, student });
        losses[term.name] = tf.keep(tf.clone(loss));
        return tf.mul(loss, term.weight as number | tf.Scalar);
      });
      return tf.addN(weighted) as tf.Scalar;
    },
    weights.map(({ variable }) => variable),
  );
  // Kept past the gradient's own scope; here they fall under the caller's again.
  const named = Object.entries(losses).map(([name, loss]) => {
    const own = tf.clone(loss);
    loss.dispose();
    return [name, own] as const;
  });
  return {
    losses: { ...Object.fromEntries(named), total: value },
    gradients: new Map(weights.map(({ name, variable }) => [name, grads[variable.name]!])),
  };
}

function evaluateTerm(term: LossTerm | MovedTerm, input: LossInput): tf.Scalar {
  // A table cannot say that a term and its loss have one name.
  return (LOSSES[term.name] as (input: LossInput, term: LossTerm | MovedTerm) => tf.Scalar)(input, term);
}
