/**
 * The training loop: one network, from its first step or from where it was cut off, to the weights of its best epoch.
 *
 * Read it top to bottom in `trainModel`. Whatever is random depends on (seed, epoch, step, sample), whatever is kept is in the
 * training state, so a resumed run ends with the same bytes as an undisturbed one (on the wasm engine, which adds in a fixed
 * order).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { LossValues, Teacher } from "./compiled-training.ts";
import type { TrainingConfig } from "./config.ts";
import { viewAt } from "./data/augment.ts";
import type { Images } from "./data/dataset.ts";
import { isMixing } from "./data/mix.ts";
import { batchSource } from "./data/prefetch.ts";
import type { Split } from "./data/split.ts";
import type { TappedModel } from "./distill/taps.ts";
import type { Fallback, StepStats } from "./engine/capture/compile-step.ts";
import { takesBytes } from "./engine/images-from-bytes.ts";
import { accuracyOf, compilePredictor, predictLogits } from "./evaluate.ts";
import type { LossTerm } from "./losses/index.ts";
import { learningRateAt } from "./schedule.ts";
import { startTraining, type Workers } from "./start-training.ts";
import { readTrainingState, writeTrainingState } from "./training-state.ts";
import { averageWeights } from "./weight-average.ts";

/** One finished epoch, as the report shows it. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Means over the epoch's samples. */
  readonly losses: LossValues;
  readonly validationAccuracy: number;
  /** At the epoch's last step. */
  readonly learningRate: number;
}

/** What the loop tells while it runs. */
export type TrainingEvent =
  | { readonly kind: "resumed"; readonly epoch: number; readonly step: number }
  /** The step, or a part of it, runs without a graph or in another precision than was asked for. */
  | { readonly kind: "eager"; readonly fallback: Fallback }
  /** Several workers share the kernels, or should have, or have become fewer. */
  | { readonly kind: "workers"; readonly workers: Workers }
  /** The thread that made batches ahead is gone; this one makes them now. */
  | { readonly kind: "prefetch-lost"; readonly reason: string }
  | { readonly kind: "step"; readonly step: number; readonly steps: number; readonly samples: number }
  | { readonly kind: "epoch"; readonly record: EpochRecord; readonly epochs: number; readonly imagesPerSecond: number };

/** What {@link trainModel} needs to know. */
export interface TrainOptions {
  /** Freshly built; it holds the best epoch's weights afterwards. */
  readonly model: LayersModel;
  /** What takes the steps where losses look at more than logits: the model with its taps, and what only they need. */
  readonly tapped?: TappedModel;
  readonly images: Images;
  readonly split: Split;
  /** Samples of the training part whose label no loss may look at. */
  readonly hidden?: ReadonlySet<number>;
  readonly preprocess: PreprocessSpec;
  readonly training: TrainingConfig;
  readonly objective: readonly LossTerm[];
  readonly teacher?: Teacher;
  readonly seed: number;
  /** Threads that share the kernels of an engine that computes on one core, 1 by default. Nothing of the result depends on it. */
  readonly workers?: number;
  /** Where `training-state.bin` is kept while training goes on. */
  readonly directory: string;
  readonly onEvent?: (event: TrainingEvent) => void;
  /** Called at the end, while the model holds the weights of the last epoch; those of the best replace them. */
  readonly onLastEpoch?: () => void;
  /** Stops at the next step's end, after saving where it stands. */
  readonly signal?: AbortSignal;
  /** Milliseconds; for rates only. */
  readonly clock?: () => number;
}

/** How a training went. */
export interface TrainResult {
  readonly bestEpoch: number;
  readonly validationAccuracy: number;
  readonly history: readonly EpochRecord[];
  readonly stoppedEarly: boolean;
  /** How many shared the kernels at the end, and why fewer than asked for. */
  readonly workers: Workers;
  /** How this process' steps were run, and why some not as was asked for. */
  readonly steps: StepStats & { readonly fallbacks: readonly Fallback[] };
}

interface Position {
  /** Epochs that are finished. */
  readonly epoch: number;
  /** Batches done in the epoch under way, and its sums so far. */
  readonly batch: number;
  readonly sums: LossValues;
  readonly samples: number;
  readonly step: number;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
}

const START = { epoch: 0, batch: 0, sums: {}, samples: 0, step: 0, history: [], bestEpoch: 0 } as const;
/** An epoch of so many steps begins with a look at whether the captured step is still the step; shorter ones would notice it. */
const RECHECKED_EPOCH = 50;
const STATE_FILE = "training-state.bin";

/**
 * Trains a model and leaves it with the weights of the epoch that did best on the validation part (the first of equals).
 *
 * @throws DistillateError `loss-not-finite` (step, rate and last good state named), `interrupted` after an abort,
 * `worker-died` where one does not come back, `checkpoint-corrupted` when the saved state cannot be read.
 */
export async function trainModel(options: TrainOptions): Promise<TrainResult> {
  const { model, images, split, preprocess, training, seed, onEvent, clock = () => performance.now() } = options;
  const { batchSize, epochs } = training;
  const stepsPerEpoch = Math.ceil(split.train.length / batchSize);
  const allSteps = stepsPerEpoch * epochs;
  const statePath = join(options.directory, STATE_FILE);
  const network = options.tapped ?? { model, names: [] };

  const saved = await readTrainingState<Position>(statePath);
  if (saved) setWeights(network.model, saved.weights);
  const average =
    training.average === undefined ? undefined : averageWeights(network.model, training.average, saved?.average);
  const fallbacks: Fallback[] = [];
  const parts = {
    ...options,
    network,
    ...(saved && { slots: saved.slots }),
    ...(average && { average }),
    onFallback: (fallback: Fallback) => {
      fallbacks.push(fallback);
      onEvent?.({ kind: "eager", fallback });
    },
  };
  const told = (workers: Workers): void => onEvent?.({ kind: "workers", workers });
  const { steps, workers } = await startTraining(parts, options.workers ?? 1, told);
  const lost = (reason: string): void => onEvent?.({ kind: "prefetch-lost", reason });
  const source = batchSource(images, split.train.length, lost);
  const predictor = compilePredictor(model);
  let best: readonly Float32Array[] = saved?.best ?? [];
  let at: Position = saved?.position ?? START;
  let kept: Position | undefined = saved?.position;
  if (saved) onEvent?.({ kind: "resumed", epoch: at.epoch, step: at.step });

  const save = async (): Promise<void> => {
    await writeTrainingState(statePath, {
      position: at,
      weights: getWeights(network.model),
      slots: steps.slots(),
      average: average?.values() ?? [],
      best,
    });
    kept = at;
  };

  let last: readonly Float32Array[];
  try {
    while (at.epoch < epochs && !isOutOfPatience(at, training.patience)) {
      const epoch = at.epoch + 1;
      const started = { time: clock(), samples: at.samples };
      let rate = 0;
      const order = {
        batchSize,
        preprocess,
        shuffle: { seed, epoch },
        augment: { ...training.augment, ...viewAt(training.augment, seed, epoch) },
        ...(options.hidden && { hidden: options.hidden }),
        asBytes: takesBytes() && !isMixing(training.augment),
        skip: at.batch,
      };
      if (stepsPerEpoch >= RECHECKED_EPOCH) steps.recheck();
      for await (const batch of source.batches(split.train, order)) {
        rate = learningRateAt(at.step, allSteps, training);
        const moment = { rate, step: at.step, epoch: at.step / stepsPerEpoch };
        const losses = await steps.take(batch, moment);
        if (!Number.isFinite(losses.total)) throw notFinite(losses.total!, at.step + 1, rate, kept, statePath);
        at = {
          ...at,
          step: at.step + 1,
          batch: at.batch + 1,
          samples: at.samples + batch.size,
          sums: addScaled(at.sums, losses, batch.size),
        };
        onEvent?.({ kind: "step", step: at.step, steps: allSteps, samples: batch.size });
        // Lets messages in: an abort, or the news that the parent process is gone.
        await new Promise((resolve) => setImmediate(resolve));
        if (options.signal?.aborted) {
          await save();
          throw interrupted(at);
        }
      }

      // With an average, that is what is validated and kept; the training goes on from the weights themselves.
      const weights = getWeights(network.model);
      const candidate = average?.values() ?? weights;
      if (average) setWeights(network.model, candidate);
      const logits = predictLogits(predictor, images, preprocess, split.validation);
      if (average) setWeights(network.model, weights);
      const validationAccuracy = accuracyOf(logits, images.classes, split.validation);
      const losses = Object.fromEntries(Object.entries(at.sums).map(([name, sum]) => [name, sum / at.samples]));
      const record: EpochRecord = { epoch, losses, validationAccuracy, learningRate: rate };
      if (validationAccuracy > bestAccuracy(at)) {
        best = candidate;
        at = { ...at, bestEpoch: epoch };
      }
      const seconds = (clock() - started.time) / 1000;
      const imagesPerSecond = (at.samples - started.samples) / seconds;
      at = { ...at, epoch, batch: 0, sums: {}, samples: 0, history: [...at.history, record] };
      await save();
      onEvent?.({ kind: "epoch", record, epochs, imagesPerSecond });
      if (options.signal?.aborted && epoch < epochs) throw interrupted(at);
    }
    last = average?.values() ?? getWeights(network.model);
  } finally {
    source.close();
    steps.dispose();
    predictor.dispose();
    average?.dispose();
  }

  setWeights(network.model, last);
  options.onLastEpoch?.();
  setWeights(network.model, best);
  return {
    bestEpoch: at.bestEpoch,
    validationAccuracy: bestAccuracy(at),
    history: at.history,
    stoppedEarly: at.epoch < epochs,
    workers: workers(),
    steps: { ...steps.stats(), fallbacks },
  };
}

/** Removes the state that {@link trainModel} leaves behind for a resume, once its result is safe. */
export async function removeTrainingState(directory: string): Promise<void> {
  await rm(join(directory, STATE_FILE), { force: true });
}

function notFinite(
  loss: number,
  step: number,
  rate: number,
  kept: Position | undefined,
  path: string,
): DistillateError {
  const good = kept ? `the last good state is that of step ${kept.step}, in ${path}` : "no state before it was saved";
  return new DistillateError({
    code: "loss-not-finite",
    message: `the loss is ${loss} at step ${step} (learning rate ${rate.toPrecision(3)}); ${good}`,
    hint: "Lower optimizer.learningRate, lengthen schedule.warmup or set clipNorm, then run again.",
  });
}

function bestAccuracy({ history, bestEpoch }: Position): number {
  return bestEpoch === 0 ? -1 : history[bestEpoch - 1]!.validationAccuracy;
}

function isOutOfPatience({ epoch, bestEpoch }: Position, patience: number | undefined): boolean {
  return patience !== undefined && epoch - bestEpoch >= patience;
}

function addScaled(sums: LossValues, losses: LossValues, scale: number): LossValues {
  return Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, (sums[name] ?? 0) + loss * scale]));
}

function getWeights(model: LayersModel): readonly Float32Array[] {
  return model.getWeights().map((weight) => weight.dataSync<"float32">().slice());
}

function setWeights(model: LayersModel, values: readonly Float32Array[]): void {
  tf.tidy(() => model.setWeights(model.getWeights().map((weight, index) => tf.tensor(values[index]!, weight.shape))));
}

function interrupted(at: Position): DistillateError {
  return new DistillateError({
    code: "interrupted",
    message: `stopped at step ${at.step}, in epoch ${at.epoch + 1}; where it stands is saved`,
    hint: "Run the same command again to go on.",
  });
}
