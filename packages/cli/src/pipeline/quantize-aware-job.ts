/** A student learns to be rounded, in a process of its own: this is the process' main module. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type LearntRange,
  learningSetOf,
  loadModel,
  objectiveOf,
  predictLogits,
  quantizeAware,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  trainModel,
  writeCheckpoint,
  writeFileAtomic,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { hearSpeakers } from "./hear-speakers.ts";
import { loadData } from "./load-data.ts";
import { logitsBytes, TEST_LOGITS } from "./logits-file.ts";
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
  const set = learningSetOf(data, config);
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
  const objective = objectiveOf(training, task.plan.distill).filter((term) => !("taps" in term));
  const result = await trainModel({
    model: aware.model,
    images: set.images,
    split: { train: set.all, validation: set.validation },
    hidden: set.hidden,
    preprocess,
    training,
    objective,
    ...(await hearSpeakers(task, aware.model, objective, { data, set, preprocess })),
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

serveParent(train);
