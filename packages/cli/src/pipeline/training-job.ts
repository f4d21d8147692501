/** One network, trained in a process of its own: this is the process' main module. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  buildModel,
  freezeLayers,
  learningSetOf,
  loadModel,
  objectiveOf,
  onLabelsAlone,
  predictLogits,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  trainModel,
  writeCheckpoint,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { hearSpeakers } from "./hear-speakers.ts";
import { loadData } from "./load-data.ts";
import { LAST_TEST_LOGITS, TEST_LOGITS, VALIDATION_LOGITS, writeLogits } from "./logits-file.ts";
import { pipelineEvent } from "./training-events.ts";
import { preprocessFor } from "./training-preprocess.ts";
import type { TrainingOutcome, TrainingTask } from "./training-task.ts";

async function train(
  task: TrainingTask,
  onEvent: (event: PipelineEvent) => void,
  signal: AbortSignal,
): Promise<TrainingOutcome> {
  const { plan, config, directory } = task;
  const { id: job, network, role, seed } = plan;
  await mkdir(directory, { recursive: true });
  const engine = await selectEngine({ engine: task.engine });
  const data = await loadData(config);
  const preprocess = preprocessFor(data);
  const set = learningSetOf(data, config);
  const heardBySome = plan.speakers.length > 0;
  const training = heardBySome ? network.training : onLabelsAlone(network.training, set);
  const model =
    task.from === undefined
      ? buildModel(network.model, { shape: data.train.shape, classes: data.labels.length, seed })
      : await loadModel((await readCheckpoint(task.from)).artifacts);

  const objective = objectiveOf(training, plan.distill);
  const guided = heardBySome ? await hearSpeakers(task, model, objective, { data, set, preprocess }) : {};
  const thaw = freezeLayers(model, plan.freeze);
  let last: ReturnType<typeof predictLogits> | undefined;
  const result = await trainModel({
    model,
    images: set.images,
    split: { train: heardBySome ? set.all : set.labelled, validation: set.validation },
    hidden: set.hidden,
    preprocess,
    training,
    objective,
    ...guided,
    seed,
    directory,
    signal,
    onLastEpoch: () => {
      last = predictLogits(model, data.test, preprocess);
    },
    onEvent: (event) => onEvent(pipelineEvent(job, event)),
  });
  thaw();

  await writeLogits(directory, LAST_TEST_LOGITS, last!);
  await writeLogits(directory, TEST_LOGITS, predictLogits(model, data.test, preprocess));
  await writeLogits(directory, VALIDATION_LOGITS, predictLogits(model, set.images, preprocess, set.validation));
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
    config: network,
    dataHash: data.hash,
    engine: `${engine.name} ${engine.version}`,
  });
  await removeTrainingState(directory);
  const { size: bytes } = await stat(join(directory, "weights.bin"));
  return { parameters, bytes, epoch: result.bestEpoch, validationAccuracy: result.validationAccuracy };
}

serveParent(train);
