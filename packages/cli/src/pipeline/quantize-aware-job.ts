/** A student learns to be rounded, in a process of its own: this is the process' main module. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  cachedTeacher,
  type Dataset,
  hideLabels,
  isBrought,
  type LearntRange,
  type Logits,
  loadModel,
  objectiveOf,
  openTeacher,
  predictLogits,
  quantizeAware,
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
import type { QuantizeAwareTask } from "./quantize-aware-task.ts";
import { pipelineEvent } from "./training-events.ts";
import type { TrainingOutcome } from "./training-task.ts";

/** The ranges that were learnt, beside the weights that they belong to. */
export interface QuantizeAwareOutcome extends TrainingOutcome {
  readonly ranges: readonly LearntRange[];
}

async function train(
  task: QuantizeAwareTask,
  onEvent: (event: PipelineEvent) => void,
  signal: AbortSignal,
): Promise<QuantizeAwareOutcome> {
  const { config, seed, directory, student, tuning } = task;
  await mkdir(directory, { recursive: true });
  const engine = await selectEngine({ engine: task.engine });
  const data = await loadData(config);
  const split = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
  const { unlabelled } = hideLabels(split.train, data.train.classes, config.data.labelled, config.seeds[0]!);
  const { artifacts, info } = await readCheckpoint(student);
  const { preprocess } = info;
  const aware = quantizeAware(await loadModel(artifacts));
  const { average: _none, patience: _never, ...rest } = config.student.training;
  const { epochs, learningRate } = tuning;
  // Images as they are: a few epochs at a low rate, in which ranges are learnt that the model will see.
  const training = {
    ...rest,
    epochs,
    optimizer: { ...rest.optimizer, learningRate },
    augment: { ...rest.augment, ...STILL },
  };
  const said = await teacherLogits(task, data);
  const result = await trainModel({
    model: aware.model,
    images: data.train,
    split,
    hidden: new Set(unlabelled),
    preprocess,
    training,
    objective: objectiveOf(training, config.distill).filter((term) => !("taps" in term)),
    teacher: await cachedTeacher(said.logits, data.train.count, said.again),
    seed,
    directory,
    signal,
    onEvent: (event) => onEvent(pipelineEvent(JOB, event)),
  });

  const { model, ranges } = aware.finish();
  await writeFileAtomic(join(directory, TEST_LOGITS), logitsBytes(predictLogits(model, data.test, preprocess)));
  const { bestEpoch: epoch, validationAccuracy, history } = result;
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
  await removeTrainingState(directory);
  const { size: bytes } = await stat(join(directory, "weights.bin"));
  return { parameters, bytes, epoch, validationAccuracy, ranges };
}

const JOB = "quantize-aware";
const STILL = { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 } as const;

interface Said {
  readonly logits: Logits;
  /** Asks again about some images, to hold the table against. */
  readonly again: (some: Uint32Array) => Logits | Promise<Logits>;
}

/** What the teacher says of every training image: its table where it left one, else it is asked. */
async function teacherLogits({ config, teacher }: QuantizeAwareTask, data: Dataset): Promise<Said> {
  const table = await readLogits(join(teacher, TRAIN_LOGITS), data.labels.length).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (isBrought(config.teacher)) {
    const { validation } = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
    const asked = { labels: data.labels, images: data.train, validation };
    const brought = await openTeacher(config.teacher, asked);
    const again = (some?: Uint32Array): Promise<Logits> => Promise.resolve(brought.logits(data.train, some));
    return { logits: table ?? (await again()), again };
  }
  const { artifacts, info } = await readCheckpoint(teacher);
  const model = await loadModel(artifacts);
  const again = (some?: Uint32Array): Logits => predictLogits(model, data.train, info.preprocess, some);
  return { logits: table ?? again(), again };
}

serveParent(train);
