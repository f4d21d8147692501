/**
 * One worker's part of a step: gradients and losses of its share of the batch, and what batch normalisation's averages became of
 * it, written where all can read it.
 */
import * as tf from "@tensorflow/tfjs-core";
import { gradientsOf, type LearningParts, lessonOf, type Moment } from "../compiled-training.ts";
import type { Batch } from "../data/batches.ts";
import { fillInputs, type InputRecipe } from "../data/fill-inputs.ts";
import type { TappedModel } from "../distill/taps.ts";
import type { LossTerm } from "../losses/index.ts";
import type { Board } from "./board.ts";
import { ownWeights, valuesOf } from "./flat-weights.ts";
import { shareOf } from "./shares.ts";

/** What all workers have alike. */
export interface Learner extends LearningParts {
  /** A teacher inside of the step. */
  readonly teacher?: TappedModel;
  readonly recipe: InputRecipe;
  readonly workers: number;
  /** Which of them this is. */
  readonly worker: number;
}

/** What all workers are told of a step. */
export interface ShareTask
  extends Pick<Batch, "size" | "indices" | "classes" | "mixed" | "mixing" | "view">,
    Pick<Moment, "step" | "epoch"> {
  /** Samples of the batch with a label; left out where all have one. */
  readonly labelled?: number;
  /** Classes that an asked teacher spoke about: its logits are on the board. */
  readonly said?: number;
}

/** The losses of an objective in the order in which they are written. */
export function lossNames(objective: readonly LossTerm[]): readonly string[] {
  return [...objective.map(({ name }) => name), "total"];
}

/** Does worker `worker`'s part; nothing where its share is empty. */
export function learnShare(learner: Learner, board: Board, task: ShareTask): void {
  const { network, objective, recipe, workers, worker } = learner;
  const [from, to] = shareOf(task.size, workers, worker);
  if (from === to) return;
  const lesson = lessonFor(learner, board, task, from, to);
  tf.tidy(() => {
    const said = task.said && board.said.subarray(from * task.said, to * task.said);
    const outputs = said ? { logits: tf.tensor2d(said, [to - from, task.said!]) } : undefined;
    const inputs = lessonOf({ objective, preprocess: recipe.preprocess }, lesson, outputs, task);
    const { losses, gradients } = gradientsOf(learner, inputs, from);
    const findings = [
      ...network.model.trainableWeights.map(({ name }) => gradients.get(name)!),
      ...ownWeights(network.model).map((weight) => weight.read()),
      ...lossNames(objective).map((name) => losses[name]!),
    ];
    let at = 0;
    for (const tensor of findings) {
      board.findings[worker]!.set(valuesOf(tensor), at);
      at += tensor.size;
    }
  });
}

function lessonFor({ recipe }: Learner, board: Board, task: ShareTask, from: number, to: number) {
  const { size, classes, mixed, labelled } = task;
  const length = recipe.shape[0] * recipe.shape[1] * recipe.shape[2];
  const inputs = new Float32Array((to - from) * length);
  const pixelsOf = (place: number): Uint8Array => board.pixels.subarray(place * length, (place + 1) * length);
  fillInputs(recipe, task, pixelsOf, [from, to], inputs);
  return {
    size: to - from,
    inputs,
    classes: classes.subarray(from, to),
    ...(mixed && { mixed: { ...mixed, partners: mixed.partners.subarray(from, to) } }),
    // Shares are averaged by their sizes; so averaged, this divides by the labels of the whole batch.
    ...(labelled !== undefined && { labelled: (labelled * (to - from)) / size }),
  };
}
