/** How a teacher takes part in a student's training: looked up where that is the same, run on the very batch where it isn't. */
import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { AskedTeacher } from "../compiled-training.ts";
import type { AugmentConfig } from "../config.ts";
import { isAugmenting } from "../data/augment.ts";
import type { Images } from "../data/dataset.ts";
import { type Logits, predictLogits } from "../evaluate.ts";
import type { TrainOptions } from "../loop.ts";
import type { LossTerm } from "../losses/index.ts";
import { tapStudent, tapsOf, tapTeacher } from "./taps.ts";
import type { BroughtTeacher } from "./teachers/bring.ts";
import { type ViewStore, viewedTeacher } from "./viewed-teacher.ts";

/** What {@link guide} needs to know of a training. */
export interface GuideOptions {
  readonly images: Images;
  readonly preprocess: PreprocessSpec;
  readonly augment: AugmentConfig;
  readonly seed: number;
  /** Keeps its logits where epochs come back to the same views of the images; without it they are asked for again each time. */
  readonly viewStore?: ViewStore;
}

/**
 * The teacher's part in {@link TrainOptions}, with the student's taps where losses compare layers.
 *
 * @throws DistillateError `tap-unknown` or `tap-mismatch`; once training, `teacher-cache-mismatch`.
 */
export function guide(
  student: LayersModel,
  teacher: LayersModel,
  objective: readonly LossTerm[],
  { images, preprocess, augment, seed, viewStore }: GuideOptions,
): Pick<TrainOptions, "teacher" | "tapped"> {
  if (tapsOf(objective).length > 0) {
    return {
      teacher: tapTeacher(teacher, objective),
      tapped: tapStudent(student, teacher, objective, seed),
    };
  }
  if (seesNewViews(augment)) return { teacher: { model: teacher, names: [] } };
  const ask = (some: Images): Logits => predictLogits(teacher, some, preprocess);
  return { teacher: viewedTeacher({ images, augment, ask, ...(viewStore && { store: viewStore }) }) };
}

/** {@link guide} by a teacher that was trained elsewhere: by its logits alone, on images as it knows them. */
export function guideByBrought(
  teacher: BroughtTeacher,
  { images, preprocess, augment, viewStore }: Omit<GuideOptions, "seed">,
): { readonly teacher: AskedTeacher } {
  if (!seesNewViews(augment)) {
    const ask = (some: Images): Promise<Logits> => teacher.logits(some);
    return { teacher: viewedTeacher({ images, augment, ask, ...(viewStore && { store: viewStore }) }) };
  }
  return {
    teacher: async ({ size, inputs }) => {
      const changed: Images = { ...images, count: size, pixels: bytesOf(inputs, preprocess) };
      const { values, classes } = await teacher.logits(changed);
      return { logits: tf.tensor2d(values, [size, classes]) };
    },
  };
}

/** Whether a view of an image is never seen again, so that to keep what a teacher says of it would be of no use. */
function seesNewViews(augment: AugmentConfig): boolean {
  return isAugmenting(augment) && !augment.views;
}

/** Back from what the student is given, channels last, to bytes; mixed images are rounded to them. */
function bytesOf(inputs: Float32Array, { scale, mean, std, channels }: PreprocessSpec): Uint8Array {
  return Uint8Array.from(inputs, (value, i) => Math.round((value * std[i % channels]! + mean[i % channels]!) / scale));
}
