import type { PreprocessSpec } from "@distillate/bundle";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { compileTraining } from "./compiled-training.ts";
import type { TrainingConfig } from "./config.ts";
import { type Batch, batches } from "./data/batches.ts";
import type { Images } from "./data/dataset.ts";
import { tapStudent, tapTeacher } from "./distill/taps.ts";
import type { Fallback } from "./engine/capture/compile-step.ts";
import type { LossTerm } from "./losses/index.ts";
import { type Profile, profileSteps } from "./profile.ts";
import { averageWeights } from "./weight-average.ts";

/** A training to look into. */
export interface ProfileTrainingOptions {
  readonly model: LayersModel;
  /** Runs inside of the step; without it the labels alone teach. */
  readonly teacher?: LayersModel;
  readonly images: Images;
  readonly preprocess: PreprocessSpec;
  readonly training: TrainingConfig;
  readonly objective: readonly LossTerm[];
  /** Milliseconds. */
  readonly clock?: () => number;
}

/** The profile of eager steps, and how the training's own steps compare. */
export interface TrainingProfile extends Profile {
  readonly batchSize: number;
  /** A captured step, in milliseconds; absent where steps are not captured. */
  readonly captured?: number;
  /** Why steps are not captured. */
  readonly fallbacks: readonly Fallback[];
}

const WARM_UP = 3;
const STEPS = 10;

/** Takes some steps of a training and tells where their time went. The model's weights change. */
export async function profileTraining(options: ProfileTrainingOptions): Promise<TrainingProfile> {
  const { model, teacher, images, preprocess, training, objective, clock = () => performance.now() } = options;
  const network = teacher ? tapStudent(model, teacher, objective, 0) : { model, names: [] };
  const average = training.average === undefined ? undefined : averageWeights(network.model, training.average);
  const batch = await firstBatch(images, preprocess, training);
  const fallbacks: Fallback[] = [];
  const start = (capture: boolean) =>
    compileTraining({
      network,
      objective,
      ...(teacher && { teacher: tapTeacher(teacher, objective) }),
      ...(average && { average }),
      preprocess,
      training,
      capture,
      onFallback: (fallback) => fallbacks.push(fallback),
    });
  // No step learns here, whatever the schedule: the weights stay where arithmetic is ordinary.
  const moment = (step: number) => ({ rate: 0, step, epoch: 0 });
  const [eager, captured] = [start(false), start(true)];
  try {
    for (let step = 0; step < WARM_UP; step++) await eager.take(batch, moment(step));
    const models = teacher ? [network.model, teacher] : [network.model];
    const take = (step: number) => eager.take(batch, moment(step));
    const profile = await profileSteps({ models, steps: STEPS, take, clock });
    for (let step = 0; step < WARM_UP; step++) await captured.take(batch, moment(step));
    const before = clock();
    for (let step = 0; step < STEPS; step++) await captured.take(batch, moment(step));
    const milliseconds = (clock() - before) / STEPS;
    const isCaptured = captured.stats().captured > 0;
    return { ...profile, batchSize: batch.size, ...(isCaptured && { captured: milliseconds }), fallbacks };
  } finally {
    captured.dispose();
    eager.dispose();
    average?.dispose();
  }
}

async function firstBatch(images: Images, preprocess: PreprocessSpec, training: TrainingConfig): Promise<Batch> {
  const size = Math.min(training.batchSize, images.count);
  const indices = Uint32Array.from({ length: size }, (_, i) => i);
  const augment = { ...training.augment, seed: 0, epoch: 1 };
  for await (const batch of batches(images, indices, { batchSize: size, preprocess, augment })) return batch;
  throw new Error("a data set has images");
}
