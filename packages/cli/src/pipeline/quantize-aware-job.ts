/** A student learns to be rounded, in a process of its own: this is the process' main module. */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type LearntRange,
  learningSetOf,
  loadModel,
  objectiveOf,
  predictLogits,
  type QuantizeAware,
  quantizeAware,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  type TrainResult,
  trainModel,
  writeCheckpoint,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { fineTuningPlan } from "./fine-tuning-plan.ts";
import { hearSpeakers, type Lessons } from "./hear-speakers.ts";
import { loadData } from "./load-data.ts";
import { logitsBytes, TEST_LOGITS } from "./logits-file.ts";
import type { QuantizeAwareTask } from "./quantize-aware-task.ts";
import { pipelineEvent } from "./training-events.ts";
import type { TrainingOutcome } from "./training-task.ts";

/** A temperature that was tried, and what the rounded student made of it on the validation part. */
export interface TriedTemperature {
  readonly temperature: number;
  /** Whose weights count, from 1. */
  readonly epoch: number;
  readonly validationAccuracy: number;
}

/** The ranges that were learnt, beside the weights that they belong to. */
export interface QuantizeAwareOutcome extends TrainingOutcome {
  readonly ranges: readonly LearntRange[];
  /** Only where temperatures were given, in their order; the first of the best was kept. */
  readonly tried?: readonly TriedTemperature[];
}

interface Candidate {
  readonly temperature: number | undefined;
  readonly student: QuantizeAware;
  readonly result: TrainResult;
}

async function train(
  task: QuantizeAwareTask,
  onEvent: (event: PipelineEvent) => void,
  signal: AbortSignal,
): Promise<QuantizeAwareOutcome> {
  const { config, seed, directory, tuning } = task;
  const engine = await selectEngine({ engine: task.engine });
  const data = await loadData(config);
  const lessons = { data, set: learningSetOf(data, config), checkpoint: await readCheckpoint(task.student) };
  const temperatures = tuning.temperature === undefined ? [undefined] : [tuning.temperature].flat();
  // Of several each has a place of its own: a run that was cut off goes on with the one it was at.
  const placeOf = (at: number): string => (temperatures.length === 1 ? directory : join(directory, `candidate-${at}`));
  const candidates: Candidate[] = [];
  for (const [at, temperature] of temperatures.entries()) {
    const place = placeOf(at);
    await mkdir(place, { recursive: true });
    candidates.push(await fineTune(task, { ...lessons, temperature, place, signal, onEvent }));
  }
  const best = candidates.reduce((kept, next) =>
    next.result.validationAccuracy > kept.result.validationAccuracy ? next : kept,
  );

  const { model, ranges } = best.student.finish();
  const { info } = lessons.checkpoint;
  await writeFileAtomic(join(directory, TEST_LOGITS), logitsBytes(predictLogits(model, data.test, info.preprocess)));
  const { bestEpoch: epoch, validationAccuracy, history } = best.result;
  const parameters = model.countParams();
  await writeCheckpoint(directory, model, {
    ...info,
    seed,
    parameters,
    epoch,
    validationAccuracy,
    history,
    config: config.student,
    engine: `${engine.name} ${engine.version}`,
  });
  for (const at of temperatures.keys()) {
    if (temperatures.length === 1) await removeTrainingState(directory);
    else await rm(placeOf(at), { recursive: true });
  }
  const { size: bytes } = await stat(join(directory, "weights.bin"));
  const tried = candidates.flatMap(({ temperature, result }) =>
    temperature === undefined
      ? []
      : [{ temperature, epoch: result.bestEpoch, validationAccuracy: result.validationAccuracy }],
  );
  return { parameters, bytes, epoch, validationAccuracy, ranges, ...(tried.length > 0 && { tried }) };
}

/** Trains the student with its weights rounded, from the weights it has, at one temperature. */
async function fineTune(
  task: QuantizeAwareTask,
  {
    data,
    set,
    checkpoint,
    temperature,
    place: directory,
    signal,
    onEvent,
  }: Omit<Lessons, "preprocess"> & {
    readonly checkpoint: Awaited<ReturnType<typeof readCheckpoint>>;
    readonly temperature: number | undefined;
    readonly place: string;
    readonly signal: AbortSignal;
    readonly onEvent: (event: PipelineEvent) => void;
  },
): Promise<Candidate> {
  const { config, seed, tuning } = task;
  const { preprocess } = checkpoint.info;
  const student = quantizeAware(await loadModel(checkpoint.artifacts));
  const plan = fineTuningPlan(task.plan, config.student.training, tuning, temperature);
  const { training } = plan.network;
  const objective = objectiveOf(training, plan.distill).filter((term) => !("taps" in term));
  const speakers = await hearSpeakers({ ...task, plan }, student.model, objective, { data, set, preprocess });
  const result = await trainModel({
    model: student.model,
    images: set.images,
    split: { train: set.all, validation: set.validation },
    hidden: set.hidden,
    preprocess,
    training,
    objective,
    ...speakers,
    seed,
    directory,
    signal,
    onEvent: (event) => onEvent(pipelineEvent(JOB, event)),
  });
  return { temperature, student, result };
}

const JOB = "quantize-aware";

serveParent(train);
