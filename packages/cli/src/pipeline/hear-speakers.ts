/** Opens those that a network learns from, in the process that trains it. */
import { join } from "node:path";
import type { PreprocessSpec } from "@distillate/bundle";
import {
  type Dataset,
  guide,
  guideByBrought,
  type LearningSet,
  type LossTerm,
  loadModel,
  meanTeacher,
  openTeacher,
  readCheckpoint,
  type TrainOptions,
  tableTeacher,
} from "@distillate/train";
import { readLogits, TRAIN_LOGITS } from "./logits-file.ts";
import type { TrainingTask } from "./training-task.ts";
import { viewStoreIn } from "./view-store.ts";

/** What the network is trained on. */
export interface Lessons {
  readonly data: Dataset;
  readonly set: LearningSet;
  readonly preprocess: PreprocessSpec;
}

/** The teacher's part in a training; several speak as one. */
export async function hearSpeakers(
  { plan, speakers }: Pick<TrainingTask, "plan" | "speakers">,
  model: TrainOptions["model"],
  objective: readonly LossTerm[],
  { data, set: { images, validation }, preprocess }: Lessons,
): Promise<Pick<TrainOptions, "teacher" | "tapped">> {
  const { augment } = plan.network.training;
  const guides = [];
  for (const { plan: speaker, directory, weight, hash } of speakers) {
    const classes = data.labels.length;
    const viewStore = viewStoreIn(directory, augment, { classes, of: [hash, data.hash, images.count] });
    const facts = { images, preprocess, augment, viewStore };
    if (speaker.kind === "table") {
      const table = await readLogits(join(directory, TRAIN_LOGITS), classes);
      guides.push({ weight, teacher: tableTeacher(table, images.count) });
    } else if (speaker.kind === "bring") {
      const brought = await openTeacher(speaker.teacher, { labels: data.labels, images: data.train, validation });
      guides.push({ weight, ...guideByBrought(brought, facts) });
    } else {
      const teacher = await loadModel((await readCheckpoint(directory)).artifacts);
      guides.push({ weight, ...guide(model, teacher, objective, { ...facts, seed: plan.seed }) });
    }
  }
  const [only, ...others] = guides;
  if (others.length === 0) return only!;
  return { teacher: meanTeacher(guides.map(({ teacher, weight }) => ({ teacher: teacher!, weight }))) };
}
