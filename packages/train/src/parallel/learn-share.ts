/**
 * One worker's part of a step: gradients and losses of its share of the batch, and what batch normalisation's averages became of
 * it, written where all can read it.
 */
import * as tf from "@tensorflow/tfjs-core";
import { gradientsOf, type LearningParts, type Lesson, lessonOf, type Moment, named } from "../compiled-training.ts";
import type { Batch } from "../data/batches.ts";
import { fillInputs, fillPixels, type InputRecipe, packedLength } from "../data/fill-inputs.ts";
import type { TappedModel } from "../distill/taps.ts";
import {
  type CompiledStep,
  compileStep,
  type Fallback,
  type StepStats,
  type Tensors,
} from "../engine/capture/compile-step.ts";
import type { LossTerm } from "../losses/index.ts";
import type { Board } from "./board.ts";
import { ownWeights, readTensors } from "./flat-weights.ts";
import { shareOf } from "./shares.ts";

/** What all workers have alike. */
export interface LearnerParts extends Omit<LearningParts, "preprocess"> {
  /** A teacher inside of the step. */
  readonly teacher?: TappedModel;
  readonly recipe: InputRecipe;
  readonly workers: number;
  /** Which of them this is. */
  readonly worker: number;
  /** `false` runs every step eagerly. */
  readonly capture?: boolean;
  readonly onFallback?: (fallback: Fallback) => void;
}

/** A worker of a training. */
export interface Learner {
  /**
   * Learns from its share of a batch: gradients, weights that no gradient reaches and losses are on the board then; nothing where the
   * share is empty.
   */
  learn(board: Board, task: ShareTask): void;
  stats(): StepStats;
  dispose(): void;
}

/** What all workers are told of a step. */
export interface ShareTask
  extends Pick<Batch, "size" | "indices" | "classes" | "mixed" | "mixing" | "view">,
    Pick<Moment, "step" | "epoch"> {
  /** Samples of the batch with a label; left out where all have one. */
  readonly labelled?: number;
  /** The next steps of each kind are compared with their programs. */
  readonly recheck?: true;
  /** Classes that an asked teacher spoke about: its logits are on the board. */
  readonly said?: number;
}

/** The losses of an objective in the order in which they are written. */
export function lossNames(objective: readonly LossTerm[]): readonly string[] {
  return [...objective.map(({ name }) => name), "total"];
}

/** Makes a worker, whose steps are recorded and run again as those of an undivided training. */
export function makeLearner(parts: LearnerParts): Learner {
  const { network, objective, recipe, workers, worker, capture = true, onFallback } = parts;
  const trained = network.model.trainableWeights.map(({ name }) => name);
  const own = ownWeights(network.model);
  const names = lossNames(objective);
  const { preprocess } = recipe;
  // Where a share begins in its batch decides on its masks, and is frozen: shares that begin elsewhere are steps of their own.
  const learnFrom = (from: number) => (inputs: Tensors) => {
    const { losses, gradients } = gradientsOf({ ...parts, preprocess }, inputs, from);
    return {
      ...named("gradient", Object.fromEntries(trained.map((name) => [name, gradients.get(name)!]))),
      ...named("loss", losses),
    };
  };
  const steps = new Map<number, CompiledStep>();
  const stepFrom = (from: number): CompiledStep => {
    const known =
      steps.get(from) ?? compileStep(learnFrom(from), { optimizer: null, capture, ...(onFallback && { onFallback }) });
    steps.set(from, known);
    return known;
  };
  // Taken anew each step, an array of this size would have the garbage collector run beside the steps.
  let room: ArrayBuffer | undefined;
  const learn: Learner["learn"] = (board, task) => {
    const [from, to] = shareOf(task.size, workers, worker);
    if (task.recheck) for (const step of steps.values()) step.recheck();
    if (from === to) return;
    room ??= new ArrayBuffer(board.pixels.length * Float32Array.BYTES_PER_ELEMENT);
    tf.tidy(() => {
      const said = task.said && board.said.subarray(from * task.said, to * task.said);
      const outputs = said ? { logits: tf.tensor2d(said, [to - from, task.said!]) } : undefined;
      const lesson = lessonFor(parts, board, task, [from, to], room!);
      const inputs = lessonOf({ objective, preprocess }, lesson, outputs, task);
      const found = stepFrom(from).run(inputs);
      const all = [
        ...trained.map((name) => found[`gradient.${name}`]!),
        ...own.map((weight) => weight.read()),
        ...names.map((name) => found[`loss.${name}`]!),
      ];
      readTensors(all, board.findings[worker]!);
    });
  };
  return {
    learn,
    stats: () =>
      [...steps.values()]
        .map((step) => step.stats())
        .reduce(addCounts, { eager: 0, recorded: 0, captured: 0, programs: 0 }),
    dispose() {
      for (const step of steps.values()) step.dispose();
    },
  };
}

function addCounts(a: StepStats, b: StepStats): StepStats {
  return {
    eager: a.eager + b.eager,
    recorded: a.recorded + b.recorded,
    captured: a.captured + b.captured,
    programs: a.programs + b.programs,
  };
}

/** @param room - Where the images are written: as bytes, unless they are mixed. */
function lessonFor(
  { recipe }: LearnerParts,
  board: Board,
  task: ShareTask,
  [from, to]: readonly [from: number, to: number],
  room: ArrayBuffer,
): Lesson {
  const { size, classes, mixed, labelled } = task;
  const length = recipe.shape[0] * recipe.shape[1] * recipe.shape[2];
  const pixelsOf = (place: number): Uint8Array => board.pixels.subarray(place * length, (place + 1) * length);
  const imagesIn = (): Pick<Lesson, "inputs" | "bytes"> => {
    if (mixed) {
      const inputs = new Float32Array(room, 0, (to - from) * length);
      fillInputs(recipe, task, pixelsOf, [from, to], inputs);
      return { inputs };
    }
    const bytes = new Uint8Array(room, 0, (to - from) * packedLength(recipe.shape));
    fillPixels(recipe, task, pixelsOf, [from, to], bytes);
    return { bytes };
  };
  return {
    size: to - from,
    ...imagesIn(),
    classes: classes.subarray(from, to),
    ...(mixed && { mixed: { ...mixed, partners: mixed.partners.subarray(from, to) } }),
    // Shares are averaged by their sizes; so averaged, this divides by the labels of the whole batch.
    ...(labelled !== undefined && { labelled: (labelled * (to - from)) / size }),
  };
}
