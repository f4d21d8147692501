/**
 * Whether a teacher from elsewhere knows this data, and was given its images as in its own training: both fail silently, so
 * validation images are looked at before anybody learns from it.
 */
import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import type { Images } from "../../data/dataset.ts";
import { type Metrics, measure } from "../../evaluate.ts";
import type { BroughtTeacher } from "./bring.ts";
import { forChannels, USUAL } from "./usual-preprocess.ts";

/** By how much another preprocessing must be better, as accuracy, to be believed. */
const CLEARLY = 0.05;

/** @throws DistillateError `teacher-preprocess` naming the one that suits better, or `teacher-too-weak`. */
export async function checkTeacher(
  from: string,
  teacher: Pick<BroughtTeacher, "preprocess" | "logits">,
  images: Images,
  sample: Uint32Array,
): Promise<void> {
  const truth = Uint16Array.from(sample, (image) => images.classes[image]!);
  const { preprocess } = teacher;
  const found = measure(await teacher.logits(images, sample), truth);
  for (const usual of USUAL) {
    const spec = { ...preprocess, ...forChannels(usual, preprocess.channels) };
    const other = measure(await teacher.logits(images, sample, spec), truth);
    const suits = other.accuracy >= leastAccuracy(other.perClass.length);
    if (suits && isClearlyBetter(other, found)) throw otherPreprocess(from, found, other, spec);
  }
  checkAccuracy(from, found.accuracy, sample.length, found.perClass.length);
}

/** @throws DistillateError `teacher-too-weak` for one that knows hardly more than chance. */
export function checkAccuracy(from: string, accuracy: number, count: number, classes: number): void {
  if (accuracy < leastAccuracy(classes)) throw tooWeak(from, accuracy, count, classes);
}

/** Twice what chance gets, or a tenth more than it where classes are few. */
function leastAccuracy(classes: number): number {
  return Math.min(2 / classes, 1 / classes + 0.1);
}

/**
 * More accurate, or as accurate without being worse than guessing. Nets of ReLUs name the same classes at any scale of their
 * input, but at a wrong one they are sure of all, their errors too, and nothing soft is left to learn from.
 */
function isClearlyBetter(other: Metrics, found: Metrics): boolean {
  const guessing = Math.log(found.perClass.length);
  const asAccurate = other.accuracy >= found.accuracy - CLEARLY / 5;
  return other.accuracy > found.accuracy + CLEARLY || (asAccurate && found.nll > guessing && other.nll < guessing);
}

const says = ({ accuracy, nll }: Metrics): string =>
  `${percent(accuracy)} right with a log-likelihood of ${(-nll).toFixed(2)}`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function otherPreprocess(from: string, found: Metrics, other: Metrics, spec: PreprocessSpec): DistillateError {
  const { scale, mean, std } = spec;
  return new DistillateError({
    code: "teacher-preprocess",
    message: `on validation images ${from} gets ${says(found)} as teacher.preprocess has them, and ${says(other)} with scale ${Number(scale.toPrecision(6))}, mean [${mean.join(", ")}], std [${std.join(", ")}]`,
    hint: "Set teacher.preprocess to what the teacher was trained with.",
  });
}

function tooWeak(from: string, accuracy: number, count: number, classes: number): DistillateError {
  return new DistillateError({
    code: "teacher-too-weak",
    message: `${from} gets ${percent(accuracy)} of ${count} validation images right, hardly more than chance for ${classes} classes`,
    hint: "Check the order of its classes (teacher.labels), its preprocessing (teacher.preprocess), and that it knows this data.",
  });
}
