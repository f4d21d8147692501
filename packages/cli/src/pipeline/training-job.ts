/** One network, trained in a process of its own: this is the process' main module. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type BroughtTeacherConfig,
  buildModel,
  guide,
  guideByBrought,
  hideLabels,
  isAugmenting,
  isBrought,
  loadModel,
  objectiveOf,
  openTeacher,
  predictLogits,
  type RunConfig,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  splitTrainValidation,
  trainModel,
  writeCheckpoint,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { loadData } from "./load-data.ts";
import { logitsBytes, readLogits, TEST_LOGITS, TRAIN_LOGITS } from "./logits-file.ts";
import { pipelineEvent } from "./training-events.ts";
import { preprocessFor } from "./training-preprocess.ts";
import type { TrainingOutcome, TrainingTask } from "./training-task.ts";

async function train(
  task: TrainingTask,
  onEvent: (event: PipelineEvent) => void,
  signal: AbortSignal,
): Promise<TrainingOutcome> {
  const { job, role, seed, config, directory } = task;
  await mkdir(directory, { recursive: true });
  const engine = await selectEngine({ engine: task.engine });
  const data = await loadData(config);
  const preprocess = preprocessFor(data);
  const part = role === "teacher" ? trainedHere(config.teacher) : config.student;
  const split = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
  const { labelled, unlabelled } = hideLabels(split.train, data.train.classes, config.data.labelled, config.seeds[0]!);
  // Labels alone come round more often where they are few: every network takes the same number of steps.
  const learnsFromAll = role === "student";
  const rounds = learnsFromAll ? 1 : Math.round(split.train.length / labelled.length);
  const { epochs, patience } = part.training;
  const training = {
    ...part.training,
    epochs: epochs * rounds,
    ...(patience !== undefined && { patience: patience * rounds }),
  };
  const model = buildModel(part.model, { shape: data.train.shape, classes: data.labels.length, seed });

  const objective = objectiveOf(part.training, role === "student" ? config.distill : undefined);
  const from = task.teacher;
  const guided = from === undefined ? undefined : await guideFrom(from);

  async function guideFrom(directory: string): ReturnType<typeof guide> {
    const facts = {
      images: data.train,
      preprocess,
      augment: part.training.augment,
      table: () => readLogits(join(directory, TRAIN_LOGITS), data.labels.length),
    };
    if (isBrought(config.teacher)) {
      const asked = { labels: data.labels, images: data.train, validation: split.validation };
      return guideByBrought(await openTeacher(config.teacher, asked), facts);
    }
    return guide(model, await loadModel((await readCheckpoint(directory)).artifacts), objective, { ...facts, seed });
  }

  const result = await trainModel({
    model,
    images: data.train,
    split: learnsFromAll ? split : { ...split, train: labelled },
    hidden: new Set(unlabelled),
    preprocess,
    training,
    objective,
    ...guided,
    seed,
    directory,
    signal,
    onEvent: (event) => onEvent(pipelineEvent(job, event)),
  });

  await writeFileAtomic(join(directory, TEST_LOGITS), logitsBytes(predictLogits(model, data.test, preprocess)));
  if (role === "teacher" && !isAugmenting(config.student.training.augment)) {
    await writeFileAtomic(join(directory, TRAIN_LOGITS), logitsBytes(predictLogits(model, data.train, preprocess)));
  }
  const parameters = model.countParams();
  await writeCheckpoint(directory, model, {
    role,
    seed,
    labels: data.labels,
    preprocess,
    inputShape: data.train.shape,
    parameters,
    epoch: result.bestEpoch,
    validationAccuracy: result.validationAccuracy,
    history: result.history,
    config: part,
    dataHash: data.hash,
    engine: `${engine.name} ${engine.version}`,
  });
  await removeTrainingState(directory);
  const { size: bytes } = await stat(join(directory, "weights.bin"));
  return { parameters, bytes, epoch: result.bestEpoch, validationAccuracy: result.validationAccuracy };
}

function trainedHere(teacher: RunConfig["teacher"]): Exclude<RunConfig["teacher"], BroughtTeacherConfig> {
  if (isBrought(teacher)) throw new Error(`${teacher.from} is not trained here`);
  return teacher;
}

serveParent(train);
