/** One network, trained in a process of its own: this is the process' main module. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import {
  buildModel,
  type Dataset,
  freezeLayers,
  guide,
  guideByBrought,
  type LearningSet,
  type LossTerm,
  learningSetOf,
  loadModel,
  meanTeacher,
  objectiveOf,
  onLabelsAlone,
  openTeacher,
  predictLogits,
  readCheckpoint,
  removeTrainingState,
  selectEngine,
  type TrainOptions,
  tableTeacher,
  trainModel,
  writeCheckpoint,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { serveParent } from "./child-process.ts";
import { loadData } from "./load-data.ts";
import {
  LAST_TEST_LOGITS,
  readLogits,
  TEST_LOGITS,
  TRAIN_LOGITS,
  VALIDATION_LOGITS,
  writeLogits,
} from "./logits-file.ts";
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

type Model = TrainOptions["model"];

async function train(
  task: TrainingTask,
  onEvent: (event: PipelineEvent) => void,
  signal: AbortSignal,
): Promise<TrainingOutcome> {
  const { plan, config, directory, keeps } = task;
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
  const guided = heardBySome ? await hear(task, model, objective, data, set, preprocess) : {};
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
    onEvent: (event) => {
      if (event.kind === "step") onEvent({ job, ...event });
      else if (event.kind === "epoch") {
        const { record, epochs, imagesPerSecond } = event;
        const { epoch, losses, validationAccuracy } = record;
        onEvent({ kind: "epoch", job, epoch, epochs, losses, validationAccuracy, imagesPerSecond });
      } else onEvent({ kind: "note", code: "resumed", message: `${job} goes on at step ${event.step}` });
    },
  });
  thaw();

  await writeLogits(directory, LAST_TEST_LOGITS, last!);
  await writeLogits(directory, TEST_LOGITS, predictLogits(model, data.test, preprocess));
  if (keeps.train) await writeLogits(directory, TRAIN_LOGITS, predictLogits(model, set.images, preprocess));
  if (keeps.validation) {
    await writeLogits(directory, VALIDATION_LOGITS, predictLogits(model, set.images, preprocess, set.validation));
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
    config: network,
    dataHash: data.hash,
    engine: `${engine.name} ${engine.version}`,
  });
  await removeTrainingState(directory);
  const { size: bytes } = await stat(join(directory, "weights.bin"));
  return { parameters, bytes, epoch: result.bestEpoch, validationAccuracy: result.validationAccuracy };
}

/** Opens those that the network learns from; several speak as one. */
async function hear(
  { plan, speakers }: TrainingTask,
  model: Model,
  objective: readonly LossTerm[],
  data: Dataset,
  { images, validation }: LearningSet,
  preprocess: PreprocessSpec,
): Promise<Pick<TrainOptions, "teacher" | "tapped">> {
  const { augment } = plan.network.training;
  const guides = [];
  for (const { plan: speaker, directory, weight } of speakers) {
    const table = () => readLogits(join(directory, TRAIN_LOGITS), data.labels.length);
    const facts = { images, preprocess, augment, table };
    if (speaker.kind === "table") guides.push({ weight, teacher: tableTeacher(await table(), images.count) });
    else if (speaker.kind === "bring") {
      const brought = await openTeacher(speaker.teacher, { labels: data.labels, images: data.train, validation });
      guides.push({ weight, ...(await guideByBrought(brought, facts)) });
    } else {
      const teacher = await loadModel((await readCheckpoint(directory)).artifacts);
      guides.push({ weight, ...(await guide(model, teacher, objective, { ...facts, seed: plan.seed })) });
    }
  }
  const [only, ...others] = guides;
  if (others.length === 0) return only!;
  return { teacher: meanTeacher(guides.map(({ teacher, weight }) => ({ teacher: teacher!, weight }))) };
}

serveParent(train);
