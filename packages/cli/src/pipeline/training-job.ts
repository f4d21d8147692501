/** One network, trained in a process of its own: this is the process' main module. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import {
  buildModel,
  cachedTeacher,
  type Dataset,
  isAugmenting,
  liveTeacher,
  loadModel,
  objectiveOf,
  predictLogits,
  type RunConfig,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  splitTrainValidation,
  type TeacherLogits,
  trainModel,
  writeCheckpoint,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { loadData } from "./load-data.ts";
import { logitsBytes, readLogits, TEST_LOGITS, TRAIN_LOGITS } from "./logits-file.ts";
import type { TrainingOutcome, TrainingTask } from "./training-task.ts";

/** How the images of a set become input for training: channels last, as tfjs wants them. */
function preprocessFor({ train }: Pick<Dataset, "train">): PreprocessSpec {
  const [height, width, channels] = train.shape;
  return {
    kind: "image",
    width,
    height,
    channels: channels as 1 | 3,
    fit: "contain",
    scale: 1 / 255,
    mean: new Array<number>(channels).fill(0),
    std: new Array<number>(channels).fill(1),
    layout: "nhwc",
  };
}

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
  const part = role === "teacher" ? config.teacher : config.student;
  const split = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
  const model = buildModel(part.model, { shape: data.train.shape, classes: data.labels.length, seed });

  const result = await trainModel({
    model,
    images: data.train,
    split,
    preprocess,
    training: part.training,
    objective: objectiveOf(part.training, role === "student" ? config.distill : undefined),
    ...(task.teacher && { teacher: await teacherLogits(task.teacher, config, data, preprocess) }),
    seed,
    directory,
    signal,
    onEvent: (event) => {
      if (event.kind === "step") onEvent({ job, ...event });
      else if (event.kind === "epoch") {
        const { record, epochs, imagesPerSecond } = event;
        const { epoch, losses, validationAccuracy } = record;
        onEvent({ kind: "epoch", job, epoch, epochs, losses, validationAccuracy, imagesPerSecond });
      } else onEvent({ kind: "note", code: "resumed", message: `${job} goes on at step ${event.step}` });
    },
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
  return { parameters, epoch: result.bestEpoch, validationAccuracy: result.validationAccuracy };
}

/** The teacher's logits: looked up where every epoch sees the same images, computed on the very batch where it doesn't. */
async function teacherLogits(
  directory: string,
  config: RunConfig,
  data: Dataset,
  preprocess: PreprocessSpec,
): Promise<TeacherLogits> {
  const teacher = await loadModel((await readCheckpoint(directory)).artifacts);
  if (isAugmenting(config.student.training.augment)) return liveTeacher(teacher);
  const table = await readLogits(join(directory, TRAIN_LOGITS), data.labels.length);
  return cachedTeacher(table, teacher, data.train, preprocess);
}

serveParent(train);
