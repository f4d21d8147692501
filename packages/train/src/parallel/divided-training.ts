/**
 * Synchronous data-parallel training on several threads: each takes its share of every batch, and what they find is averaged by
 * the shares' sizes, in the workers' order, before one update.
 *
 *   g = sum over the workers of  n_w / n  g_w
 *
 * So a step is the step of the whole batch, up to rounding, and depends on the number of workers alone. The exception is batch
 * normalisation, whose statistics are those of a share (as PyTorch's DistributedDataParallel has them); its moving averages move
 * to the mean of what the shares saw.
 */
import * as tf from "@tensorflow/tfjs-core";
import {
  type CompiledTraining,
  type LossValues,
  type TrainingParts,
  update,
  updateNumbers,
} from "../compiled-training.ts";
import type { Batch } from "../data/batches.ts";
import type { Images } from "../data/dataset.ts";
import type { InputRecipe } from "../data/fill-inputs.ts";
import { compileStep } from "../engine/capture/compile-step.ts";
import { type BoardSizes, makeBoardMemory, openBoard } from "./board.ts";
import { ownWeights, readWeights, sizeOf, writeWeights } from "./flat-weights.ts";
import { lossNames, makeLearner, type ShareTask } from "./learn-share.ts";
import { meanOfShares } from "./mean-of-shares.ts";
import { writeNetwork } from "./network-copy.ts";
import { startTeam } from "./team.ts";

/** What takes part in a divided training. */
export interface DividedParts extends TrainingParts {
  readonly images: Pick<Images, "pixels" | "shape">;
  readonly recipe: InputRecipe;
  readonly batchSize: number;
}

/**
 * Starts the threads of a training and makes its steps. A step that throws `worker-died` leaves everything as it was before it.
 *
 * @throws DistillateError `worker-died` where they cannot start.
 */
export async function divideTraining(parts: DividedParts, workers: number): Promise<CompiledTraining> {
  const { network, objective, teacher, recipe, images, batchSize, capture = true, onFallback } = parts;
  const { model } = network;
  const own = ownWeights(model);
  const trained = model.trainableWeights.map(({ name }) => name);
  const classes = model.outputs[0]!.shape.at(-1)!;
  const length = recipe.shape[0] * recipe.shape[1] * recipe.shape[2];
  const sizes: BoardSizes = {
    pixels: batchSize * length,
    weights: sizeOf(model.weights),
    findings: sizeOf(model.trainableWeights) + sizeOf(own) + lossNames(objective).length,
    said: typeof teacher === "function" ? batchSize * classes : 0,
    workers,
  };
  const memory = makeBoardMemory(sizes);
  const board = openBoard(memory, sizes);
  const inside = typeof teacher === "object" ? teacher : undefined;
  const team = await startTeam({
    memory,
    sizes,
    network: await writeNetwork(network),
    ...(inside && { teacher: await writeNetwork(inside) }),
    objective,
    recipe,
    workers,
    capture,
  });
  const learner = makeLearner({
    ...{ network, objective, recipe, workers, worker: 0, capture },
    ...(inside && { teacher: inside }),
    ...(onFallback && { onFallback }),
  });
  const updating = compileStep(
    (inputs) => {
      update(parts, new Map(trained.map((name) => [name, inputs[`gradient.${name}`]!])), inputs);
      return {};
    },
    { optimizer: null, capture },
  );
  const before = new Float32Array(sizeOf(own));
  let isDue = false;
  return {
    async take(batch, moment) {
      const said = typeof teacher === "function" ? (await teacher(batch)).logits : undefined;
      if (said) board.said.set(said.dataSync());
      said?.dispose();
      for (const [place, sample] of batch.indices.entries()) {
        board.pixels.set(images.pixels.subarray(sample * length, (sample + 1) * length), place * length);
      }
      readWeights(model.weights, board.weights);
      readWeights(own, before);
      const task = { ...taskOf(batch, moment, said && classes), ...(isDue && { recheck: true as const }) };
      isDue = false;
      team.tell(task);
      const made: tf.Tensor[] = [];
      try {
        const mine = learner.learn(board, task);
        made.push(...mine);
        // While the others are at theirs.
        const numbers = updateNumbers(parts, moment);
        made.push(...Object.values(numbers));
        await team.finish();
        return tf.tidy(() => {
          const found = meanOfShares(model, board, mine, batch.size);
          writeWeights(own, found.own);
          const gradients = Object.fromEntries(trained.map((name, i) => [`gradient.${name}`, found.gradients[i]!]));
          updating.run({ ...gradients, ...numbers });
          return Object.fromEntries(lossNames(objective).map((name, i) => [name, found.losses[i]!]));
        }) as unknown as LossValues;
      } catch (error) {
        // The own share has moved the averages.
        writeWeights(own, before);
        throw error;
      } finally {
        tf.dispose(made);
      }
    },
    recheck() {
      updating.recheck();
      isDue = true;
    },
    stats: learner.stats,
    dispose() {
      team.dispose();
      learner.dispose();
      updating.dispose();
    },
  };
}

function taskOf(batch: Batch, { step, epoch }: Pick<ShareTask, "step" | "epoch">, said: number | undefined): ShareTask {
  const { size, indices, classes, mixed, mixing, view } = batch;
  const labelled = classes.reduce((count, each) => count + Number(each >= 0), 0);
  return {
    size,
    // Alone: a message carries all of the memory that an array is a view of.
    indices: indices.slice(),
    classes: classes.slice(),
    step,
    epoch,
    ...(mixed && { mixed }),
    ...(mixing && { mixing }),
    ...(view && { view: { seed: view.seed, epoch: view.epoch } }),
    ...(labelled < size && { labelled }),
    ...(said && { said }),
  };
}
