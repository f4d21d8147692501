/**
 * Synchronous data-parallel training on several threads: each takes its share of every batch, what they find is averaged by the
 * shares' sizes, in the workers' order, and each updates its range of the weights.
 *
 *   g = sum over the workers of  n_w / n  g_w
 *
 * So a step is the step of the whole batch, up to rounding, and depends on the number of workers alone. The exception is batch
 * normalisation, whose statistics are those of a share (as PyTorch's DistributedDataParallel has them); its moving averages move
 * to the mean of what the shares saw.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { CompiledTraining, TrainingParts } from "../compiled-training.ts";
import type { Batch } from "../data/batches.ts";
import type { Images } from "../data/dataset.ts";
import type { InputRecipe } from "../data/fill-inputs.ts";
import { compileStep } from "../engine/capture/compile-step.ts";
import { checkSlots } from "../optimizers/apply.ts";
import { makeOptimizer } from "../optimizers/index.ts";
import type { WeightAverage } from "../weight-average.ts";
import { LEADER } from "./barriers.ts";
import { type Board, type BoardSizes, makeBoardMemory, openBoard, type StateIndex, stateAfter } from "./board.ts";
import { makeDividedSteps, type StepTask } from "./divided-step.ts";
import { ownWeights, readWeights, sizeOf, splitSlots, writeWeights } from "./flat-weights.ts";
import { lossNames } from "./learn-share.ts";
import { averageLosses, sharesOf } from "./mean-of-shares.ts";
import { writeNetwork } from "./network-copy.ts";
import { startTeam } from "./team.ts";

type Weights = LayersModel["weights"];

/** What takes part in a divided training. */
export interface DividedParts extends TrainingParts {
  readonly images: Pick<Images, "pixels" | "shape">;
  readonly recipe: InputRecipe;
  readonly batchSize: number;
}

/**
 * Starts the threads of a training and makes its steps. A step that throws, `worker-died` or what its network throws, leaves everything
 * as it was before it and is the last one: so do all that follow.
 *
 * @throws DistillateError `worker-died` where they cannot start, `shared-memory-missing` where there is no memory for what they share.
 */
export async function divideTraining(parts: DividedParts, workers: number): Promise<CompiledTraining> {
  const { network, objective, teacher, recipe, images, capture = true, onFallback } = parts;
  const { optimizer, clipNorm } = parts.training;
  const { model } = network;
  // Asked for, they are collected anew.
  const { weights, trainableWeights } = model;
  const sizes = sizesOf(parts, workers);
  const memory = makeBoardMemory(sizes);
  const board = openBoard(memory, sizes);
  const inside = typeof teacher === "object" ? teacher : undefined;
  const alike = {
    ...{ memory, sizes, objective, recipe, workers, capture, optimizer },
    ...(clipNorm !== undefined && { clipNorm }),
  };
  // Before there are threads, which nobody would end.
  const mine = makeDividedSteps({
    ...{ ...alike, network, board, worker: LEADER },
    ...(inside && { teacher: inside }),
    ...(onFallback && { onFallback }),
  });
  const following = parts.average && followWeights(parts.average, capture);
  const slotsIn = board.states.map(({ slots }) => splitSlots(trainableWeights, slots));
  if (parts.slots) {
    checkSlots(trainableWeights, makeOptimizer(optimizer), parts.slots);
    for (const [i, values] of parts.slots.entries()) slotsIn[0]![i]!.set(values);
  }
  const lossStart = sizes.trained + sizes.own;
  const lossesFound = board.findings.map((found) => found.subarray(lossStart));
  const names = lossNames(objective);
  const team = await startTeam({
    ...alike,
    network: await writeNetwork(network),
    ...(inside && { teacher: await writeNetwork(inside) }),
  });
  let current: StateIndex = 0;
  let written: readonly object[] = [];
  let isDue = false;
  let failed: unknown;
  return {
    async take(batch, moment) {
      if (failed !== undefined) throw failed;
      const said = typeof teacher === "function" ? (await teacher(batch)).logits : undefined;
      if (said) board.said.set(said.dataSync());
      said?.dispose();
      writePixels(board, images, batch);
      const isRewritten = !isAsWritten(weights, written);
      // A worker may still be reading this state: it is told to read it again.
      if (isRewritten) readWeights(weights, board.states[current].weights);
      const task: StepTask = {
        ...taskOf(batch),
        ...{ step: moment.step, epoch: moment.epoch, rate: moment.rate, from: current },
        ...(said && { said: said.shape[1]! }),
        ...(isRewritten && { rewritten: true }),
        ...(isDue && { recheck: true }),
      };
      isDue = false;
      team.tell(task);
      try {
        for (const _ of mine.take(task)) await team.meet();
      } catch (error) {
        // The threads are at different barriers now: no step can follow.
        failed = error;
        team.dispose();
        // This thread's share has moved the averages.
        writeWeights(ownWeights(model), board.states[current].weights.subarray(sizes.trained));
        throw error;
      }
      current = stateAfter(current);
      written = dataOf(weights);
      following?.take(moment.step);
      const losses = averageLosses(lossesFound, sharesOf(batch.size, workers));
      return Object.fromEntries(names.map((name, i) => [name, losses[i]!]));
    },
    recheck() {
      following?.recheck();
      isDue = true;
    },
    slots: () => slotsIn[current]!.map((values) => values.slice()),
    stats: mine.stats,
    dispose() {
      team.dispose();
      mine.dispose();
      following?.dispose();
    },
  };
}

function sizesOf(
  { network, objective, teacher, recipe, batchSize, training }: DividedParts,
  workers: number,
): BoardSizes {
  const { model } = network;
  const classes = model.outputs[0]!.shape.at(-1)!;
  return {
    pixels: batchSize * lengthOf(recipe.shape),
    trained: sizeOf(model.trainableWeights),
    own: sizeOf(ownWeights(model)),
    slots: makeOptimizer(training.optimizer).slots.length,
    losses: lossNames(objective).length,
    said: typeof teacher === "function" ? batchSize * classes : 0,
    workers,
  };
}

function lengthOf(shape: Images["shape"]): number {
  return shape[0] * shape[1] * shape[2];
}

function writePixels({ pixels }: Board, images: DividedParts["images"], { indices }: Batch): void {
  const length = lengthOf(images.shape);
  for (const [place, sample] of indices.entries()) {
    pixels.set(images.pixels.subarray(sample * length, (sample + 1) * length), place * length);
  }
}

/** The data that the weights of a model are now: others as soon as anyone writes them. */
function dataOf(weights: Weights): readonly object[] {
  return weights.map((weight) => weight.read().dataId);
}

function isAsWritten(weights: Weights, written: readonly object[]): boolean {
  return weights.every((weight, i) => weight.read().dataId === written[i]);
}

/** Takes the weights of each step into their average. */
function followWeights(average: WeightAverage, capture: boolean) {
  const compiled = compileStep(
    ({ kept }) => {
      average.update(kept as tf.Scalar);
      return {};
    },
    { optimizer: null, capture },
  );
  return {
    take(step: number): void {
      const kept = tf.scalar(average.kept(step + 1));
      compiled.run({ kept });
      kept.dispose();
    },
    recheck: compiled.recheck,
    dispose: compiled.dispose,
  };
}

function taskOf({
  size,
  indices,
  classes,
  mixed,
  mixing,
  view,
}: Batch): Omit<StepTask, "step" | "epoch" | "rate" | "from"> {
  const labelled = classes.reduce((count, each) => count + Number(each >= 0), 0);
  return {
    size,
    // Alone: a message carries all of the memory that an array is a view of.
    indices: indices.slice(),
    classes: classes.slice(),
    ...(mixed && { mixed }),
    ...(mixing && { mixing }),
    ...(view && { view: { seed: view.seed, epoch: view.epoch } }),
    ...(labelled < size && { labelled }),
  };
}
