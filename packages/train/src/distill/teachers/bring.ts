/**
 * A teacher that was trained elsewhere: opened, given images as it knows them, its classes put in the data's order, its outputs
 * as logits.
 *
 * What differs from its own training fails silently, so each is looked at before anybody learns from it: number and names of
 * the classes, and on validation images whether it knows anything, and whether another usual preprocessing would suit it better.
 */
import { resolve } from "node:path";
import { type PreprocessSpec, preprocessImage } from "@distillate/bundle";
import type { BroughtTeacherConfig } from "../../config.ts";
import type { Images } from "../../data/dataset.ts";
import type { Logits } from "../../evaluate.ts";
import { checkTeacher } from "./check-teacher.ts";
import type { Classifier } from "./classifier.ts";
import { areProbabilities, arrange, columnsOf, labelsAssumed, logsTaken } from "./columns.ts";
import { openOnnxClassifier } from "./onnx.ts";
import { openTfjsClassifier } from "./tfjs.ts";
import { forChannels, USUAL } from "./usual-preprocess.ts";

/** A teacher ready to be asked. */
export interface BroughtTeacher {
  readonly classifier: Classifier;
  readonly preprocess: PreprocessSpec;
  /** What was found or decided on the way; it ends in the report. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  /** Logits of images, all or those named, in the order of the data's labels; `preprocess` instead of its own for a trial. */
  logits(images: Images, indices?: Uint32Array, preprocess?: PreprocessSpec): Promise<Logits>;
}

const BATCH = 64;
/** Images that a teacher is told and checked by. */
const CHECKED = 1000;

/** What a teacher is held against. */
export interface TeacherData {
  readonly labels: readonly string[];
  readonly images: Images;
  /** Images of the validation part: what its outputs are told by. */
  readonly validation: Uint32Array;
}

/**
 * Opens a teacher and holds it against the data.
 *
 * @throws DistillateError `teacher-unusable`, `teacher-classes`, `teacher-preprocess` naming the one that suits better, or
 * `teacher-too-weak`.
 */
export async function bringTeacher(config: BroughtTeacherConfig, data: TeacherData): Promise<BroughtTeacher> {
  const teacher = await openTeacher(config, data);
  try {
    await checkTeacher(config.from, teacher, data.images, data.validation.subarray(0, CHECKED));
    return teacher;
  } catch (error) {
    teacher.classifier.dispose();
    throw error;
  }
}

/**
 * Opens a teacher that was brought in before.
 *
 * @throws DistillateError `teacher-unusable` or `teacher-classes`.
 */
export async function openTeacher(
  config: BroughtTeacherConfig,
  { labels, images, validation }: TeacherData,
): Promise<BroughtTeacher> {
  const path = resolve(config.from);
  const classifier = await (path.endsWith(".onnx") ? openOnnxClassifier(path) : openTfjsClassifier(path));
  try {
    const preprocess = preprocessOf(config, classifier, images);
    const sample = validation.subarray(0, CHECKED);
    const raw = await outputsOf(classifier, preprocess, images, sample);
    const classes = raw.length / sample.length;
    const columns = columnsOf(config.from, config.labels, classes, labels);
    const asProbabilities = areProbabilities(raw, classes);
    return {
      classifier,
      preprocess,
      notes: notesOn(config, asProbabilities),
      logits: async (asked, indices, spec = preprocess) =>
        arrange(await outputsOf(classifier, spec, asked, indices), classes, columns, asProbabilities),
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

function notesOn(config: BroughtTeacherConfig, asProbabilities: boolean): BroughtTeacher["notes"] {
  return [...(config.labels ? [] : [labelsAssumed(config.from)]), ...(asProbabilities ? [logsTaken(config.from)] : [])];
}
