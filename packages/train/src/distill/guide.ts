/** How a teacher takes part in a student's training: looked up where that is the same, run on the very batch where it isn't. */
import type { PreprocessSpec } from "@distillate/bundle";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { AugmentConfig } from "../config.ts";
import { isAugmenting } from "../data/augment.ts";
import type { Images } from "../data/dataset.ts";
import type { Logits } from "../evaluate.ts";
import type { TrainOptions } from "../loop.ts";
import type { LossTerm } from "../losses/index.ts";
import { tapStudent, tapsOf, tapTeacher } from "./taps.ts";
import { cachedTeacher, liveTeacher } from "./teacher-cache.ts";

/** What {@link guide} needs to know of a training. */
export interface GuideOptions {
  readonly images: Images;
  readonly preprocess: PreprocessSpec;
  readonly augment: AugmentConfig;
  readonly seed: number;
  /** Reads the teacher's logits for all images; called only where every epoch sees the same view of each. */
  readonly table: () => Promise<Logits>;
}

/**
 * The teacher's part in {@link TrainOptions}, with the student's taps where losses compare layers.
 *
 * @throws DistillateError `tap-unknown`, `tap-mismatch` or `teacher-cache-mismatch`.
 */
export async function guide(
  student: LayersModel,
  teacher: LayersModel,
  objective: readonly LossTerm[],
  { images, preprocess, augment, seed, table }: GuideOptions,
): Promise<Pick<TrainOptions, "teacher" | "tapped">> {
  if (tapsOf(objective).length > 0) {
    return {
      teacher: liveTeacher(tapTeacher(teacher, objective)),
      tapped: tapStudent(student, teacher, objective, seed),
    };
  }
  if (isAugmenting(augment)) return { teacher: liveTeacher({ model: teacher, names: [] }) };
  return { teacher: cachedTeacher(await table(), teacher, images, preprocess) };
}
