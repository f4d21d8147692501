/**
 * A teacher that was trained elsewhere: opened, given images as it knows them, its classes put in the data's order, its outputs
 * as logits.
 *
 * What differs from its own training fails silently, so each is looked at before anybody learns from it: number and names of
 * the classes, and on validation images whether it knows anything, and whether another usual preprocessing would suit it better.
 */
import { resolve } from "node:path";
import { DistillateError, type PreprocessSpec, preprocessImage } from "@distillate/bundle";
import type { BroughtTeacherConfig } from "../../config.ts";
import type { Images } from "../../data/dataset.ts";
import { type Logits, type Metrics, measure } from "../../evaluate.ts";
import type { Classifier } from "./classifier.ts";
import { openOnnxClassifier } from "./onnx.ts";
import { openTfjsClassifier } from "./tfjs.ts";

/** A teacher ready to be asked. */
export interface BroughtTeacher {
  readonly classifier: Classifier;
  readonly preprocess: PreprocessSpec;
  /** What was found or decided on the way; it ends in the report. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  /** Logits of images, all or those named, in the order of the data's labels. */
  logits(images: Images, indices?: Uint32Array): Promise<Logits>;
}

const BATCH = 64;
/** Images that the checks look at. */
const CHECKED = 1000;
/** By how much another preprocessing must be better, as accuracy, to be believed. */
const CLEARLY = 0.05;
const SMALLEST_PROBABILITY = 1e-12;

/** What classifiers are usually trained with, per channel. */
const USUAL: readonly Pick<PreprocessSpec, "scale" | "mean" | "std">[] = [
  { scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
  { scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
  { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
];

/**
 * Opens a teacher and holds it against the data.
 *
 * @param validation - Images of the validation part, looked at by the checks.
 * @throws DistillateError `teacher-unusable`, `teacher-classes`, `teacher-preprocess` naming the one that suits better, or
 * `teacher-too-weak`.
 */
export async function bringTeacher(
  config: BroughtTeacherConfig,
  data: { readonly labels: readonly string[]; readonly images: Images; readonly validation: Uint32Array },
): Promise<BroughtTeacher> {
  const path = resolve(config.from);
  const classifier = await (path.endsWith(".onnx") ? openOnnxClassifier(path) : openTfjsClassifier(path));
  try {
    const preprocess = preprocessOf(config, classifier, data.images);
    const sample = data.validation.subarray(0, CHECKED);
    const raw = await outputsOf(classifier, preprocess, data.images, sample);
    const classes = raw.length / sample.length;
    const columns = columnsOf(config, classes, data.labels);
    const asProbabilities = areProbabilities(raw, classes);
    const finish = (values: Float32Array): Logits => arrange(values, classes, columns, asProbabilities);

    const truth = Uint16Array.from(sample, (image) => data.images.classes[image]!);
    const found = measure(finish(raw), truth);
    for (const usual of USUAL) {
      const spec = { ...preprocess, ...forChannels(usual, preprocess.channels) };
      const other = measure(finish(await outputsOf(classifier, spec, data.images, sample)), truth);
      if (isClearlyBetter(other, found)) throw otherPreprocess(config.from, found, other, spec);
    }
    const { accuracy } = found;
    if (accuracy < 2 / data.labels.length) throw tooWeak(config.from, accuracy, sample.length, data.labels.length);

    return {
      classifier,
      preprocess,
      notes: notesOn(config, asProbabilities),
      logits: async (images, indices) => finish(await outputsOf(classifier, preprocess, images, indices)),
    };
  } catch (error) {
    classifier.dispose();
    throw error;
  }
}

/** What the configuration says, the size that the file says, and 0 to 1 where nobody says. */
function preprocessOf({ preprocess }: BroughtTeacherConfig, { input }: Classifier, images: Images): PreprocessSpec {
  const [height, width] = images.shape;
  const channels = input.channels as 1 | 3;
  return {
    kind: "image",
    width: input.width ?? width,
    height: input.height ?? height,
    channels,
    fit: "stretch",
    layout: input.layout,
    ...forChannels({ ...USUAL[0]!, ...preprocess }, channels),
  };
}

function forChannels<Spec extends Pick<PreprocessSpec, "mean" | "std">>(spec: Spec, channels: number): Spec {
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, c) => values[Math.min(c, values.length - 1)]!);
  return { ...spec, mean: each(spec.mean), std: each(spec.std) };
}

async function outputsOf(
  classifier: Classifier,
  preprocess: PreprocessSpec,
  images: Images,
  indices?: Uint32Array,
): Promise<Float32Array> {
  const [height, width, channels] = images.shape;
  const size = height * width * channels;
  const count = indices?.length ?? images.count;
  const length = preprocess.width * preprocess.height * preprocess.channels;
  const rows: Float32Array[] = [];
  for (let start = 0; start < count; start += BATCH) {
    const batch = Math.min(BATCH, count - start);
    const inputs = new Float32Array(batch * length);
    for (let i = 0; i < batch; i++) {
      const sample = indices ? indices[start + i]! : start + i;
      const data = images.pixels.subarray(sample * size, (sample + 1) * size);
      inputs.set(preprocessImage({ width, height, channels: channels as 1 | 3, data }, preprocess), i * length);
    }
    const { layout, width: w, height: h, channels: c } = preprocess;
    rows.push(await classifier.run(inputs, layout === "nchw" ? [batch, c, h, w] : [batch, h, w, c]));
  }
  const values = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    values.set(row, offset);
    offset += row.length;
  }
  return values;
}

/** For each of the data's labels, which of the teacher's columns it is. */
function columnsOf(
  { from, labels: theirs }: BroughtTeacherConfig,
  classes: number,
  labels: readonly string[],
): readonly number[] {
  const names = theirs ?? labels;
  if (names.length !== classes || classes < labels.length) {
    const known = theirs ? `teacher.labels names ${theirs.length}` : `the data have ${labels.length}`;
    throw wrongClasses(`${from} says ${classes} numbers an image, and ${known} classes`);
  }
  const missing = labels.filter((label) => !names.includes(label));
  if (missing.length > 0) throw wrongClasses(`teacher.labels lacks ${missing.slice(0, 10).join(", ")} of the data`);
  return labels.map((label) => names.indexOf(label));
}

/** Whether all rows are probabilities: a softmax stands at the end. */
function areProbabilities(values: Float32Array, classes: number): boolean {
  for (let start = 0; start < values.length; start += classes) {
    const row = values.subarray(start, start + classes);
    const sum = row.reduce((total, value) => total + value, 0);
    if (row.some((value) => value < 0 || value > 1) || Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

/** Columns in the data's order; of probabilities the logarithms, which are logits up to a constant that no softmax sees. */
function arrange(values: Float32Array, classes: number, columns: readonly number[], log: boolean): Logits {
  const count = values.length / classes;
  const arranged = new Float32Array(count * columns.length);
  for (let row = 0; row < count; row++) {
    for (const [place, column] of columns.entries()) {
      const value = values[row * classes + column]!;
      arranged[row * columns.length + place] = log ? Math.log(Math.max(value, SMALLEST_PROBABILITY)) : value;
    }
  }
  return { classes: columns.length, values: arranged };
}

function notesOn(config: BroughtTeacherConfig, asProbabilities: boolean): BroughtTeacher["notes"] {
  return [
    ...(config.labels
      ? []
      : [
          {
            code: "teacher-labels-assumed",
            message: `${config.from} names no classes: they are taken to be in the order of the data`,
          },
        ]),
    ...(asProbabilities
      ? [
          {
            code: "teacher-probabilities",
            message: `${config.from} ends in a softmax: the logarithms of its probabilities are its logits`,
          },
        ]
      : []),
  ];
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

function wrongClasses(message: string): DistillateError {
  return new DistillateError({
    code: "teacher-classes",
    message,
    hint: "Name all of the teacher's classes, in the order of its outputs, in teacher.labels.",
  });
}

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
