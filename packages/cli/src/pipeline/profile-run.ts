import {
  buildModel,
  type Engine,
  type EngineName,
  objectiveOf,
  profileTraining,
  type RunConfig,
  selectEngine,
  type TrainingProfile,
} from "@distillate/train";
import { loadData } from "./load-data.ts";
import { preprocessFor } from "./training-preprocess.ts";

/** Where a step of a run's student spends its time. */
export interface RunProfile extends TrainingProfile {
  readonly engine: Pick<Engine, "name" | "version">;
  readonly model: string;
}

/**
 * Takes some steps of a run's student on its data, with fresh weights, and keeps nothing of them.
 *
 * @param alone - Labels alone teach, as in the baseline's training; otherwise the teacher runs in the step, where it is one
 * that is trained here.
 */
export async function profileRun(config: RunConfig, engine: EngineName | "auto", alone: boolean): Promise<RunProfile> {
  const { name, version } = await selectEngine({ engine });
  const data = await loadData(config);
  const { student, teacher, distill } = config;
  const input = { shape: data.train.shape, classes: data.labels.length };
  const taught = alone || !("model" in teacher) ? undefined : buildModel(teacher.model, { ...input, seed: 2 });
  const profile = await profileTraining({
    model: buildModel(student.model, { ...input, seed: 1 }),
    ...(taught && { teacher: taught }),
    images: data.train,
    preprocess: preprocessFor(data),
    training: student.training,
    objective: objectiveOf(student.training, taught && distill),
  });
  return { engine: { name, version }, model: student.model.name, ...profile };
}
