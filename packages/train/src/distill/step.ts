import * as tf from "@tensorflow/tfjs-core";
import { LOSSES, type LossInput, type LossTerm } from "../losses/index.ts";
import { applyTapped, type TappedModel } from "./taps.ts";

/** Losses of one step by name; `total` is their weighted sum. */
export type LossValues = Readonly<Record<string, number>>;

/** Gradients by weight name, and the losses they come from. The caller disposes the gradients. */
export interface StepResult {
  readonly losses: LossValues;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
}

/**
 * One forward and backward pass: `inputs` through the model in training mode, every term of the objective on what comes out,
 * gradients of their weighted sum with respect to all trainable weights.
 */
export function trainingStep(
  network: TappedModel,
  objective: readonly LossTerm[],
  inputs: tf.Tensor,
  targets: Omit<LossInput, "student">,
): StepResult {
  const named = new Map<string, tf.Scalar>();
  const weights = network.model.trainableWeights.map((weight) => ({
    name: weight.name,
    variable: weight.read() as tf.Variable,
  }));
  const { value, grads } = tf.variableGrads(
    () => {
      const student = applyTapped(network, inputs, true);
      const weighted = objective.map((term) => {
        const loss = evaluateTerm(term, { ...targets, student });
        named.set(term.name, tf.keep(tf.clone(loss)));
        return tf.mul(loss, term.weight as number);
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
  // A table cannot say that a term and its loss have one name.
  return (LOSSES[term.name] as (input: LossInput, term: LossTerm) => tf.Scalar)(input, term);
}
