/** Measures on logits, the same for tfjs and onnxruntime: all but {@link predictLogits} are pure functions of arrays. */
import { argmax, normalizeImage, type PreprocessSpec, softmax } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Images } from "./data/dataset.ts";
import { compileStep } from "./engine/capture/compile-step.ts";

/** Logits of many samples, row after row. */
export interface Logits {
  readonly classes: number;
  readonly values: Float32Array;
}

/** How well a model does on labelled samples. */
export interface Metrics {
  readonly accuracy: number;
  /** Recall, class by class. */
  readonly perClass: readonly number[];
  /** Rows are true classes, columns what was predicted. */
  readonly confusion: readonly (readonly number[])[];
  /** Mean negative log-likelihood, nats. */
  readonly nll: number;
  /** Expected calibration error over 15 equal bins (Guo et al. 2017, arXiv 1706.04599, eq. 3). */
  readonly ece: number;
}

/** How close a student's outputs are to its teacher's. */
export interface Fidelity {
  /** Share of samples on which both name the same class. */
  readonly agreement: number;
  /** Mean Kullback-Leibler divergence of the student from the teacher at temperature 1, nats. */
  readonly kl: number;
}

const PREDICT_BATCH = 256;
const CALIBRATION_BINS = 15;

/** A model in inference mode, captured where the engine can: for one that is run again and again. */
export interface Predictor {
  readonly model: LayersModel;
  logits(inputs: tf.Tensor): tf.Tensor;
  dispose(): void;
}

/** Makes a {@link Predictor}; it always uses the model's weights of the moment. */
export function compilePredictor(model: LayersModel): Predictor {
  const step = compileStep(({ inputs }) => ({ logits: model.apply(inputs!, { training: false }) as tf.Tensor }), {
    optimizer: null,
  });
  return { model, logits: (inputs) => step.run({ inputs }).logits!, dispose: step.dispose };
}

/** Runs a model in inference mode over images, all of them or those named by `indices`. */
export function predictLogits(
  model: LayersModel | Predictor,
  images: Images,
  preprocess: PreprocessSpec,
  indices?: Uint32Array,
): Logits {
  if ("logits" in model) return predictWith(model, images, preprocess, indices);
  const predictor = compilePredictor(model);
  try {
    return predictWith(predictor, images, preprocess, indices);
  } finally {
    predictor.dispose();
  }
}

function predictWith(
  predictor: Predictor,
  images: Images,
  preprocess: PreprocessSpec,
  indices: Uint32Array | undefined,
): Logits {
  const [height, width, channels] = images.shape;
  const length = height * width * channels;
  const count = indices?.length ?? images.count;
  const classes = predictor.model.outputShape[1] as number;
  const values = new Float32Array(count * classes);
  for (let start = 0; start < count; start += PREDICT_BATCH) {
    const size = Math.min(PREDICT_BATCH, count - start);
    const inputs = new Float32Array(size * length);
    for (let i = 0; i < size; i++) {
      const sample = indices ? indices[start + i]! : start + i;
      normalizeImage(images.pixels.subarray(sample * length, (sample + 1) * length), preprocess, inputs, i * length);
    }
    tf.tidy(() => {
      const logits = predictor.logits(tf.tensor(inputs, [size, height, width, channels]));
      values.set(logits.dataSync(), start * classes);
    });
  }
  return { classes, values };
}

/** Share of samples whose largest logit is at their label. Row `i` belongs to sample `indices[i]`, or `i`. */
export function accuracyOf({ classes, values }: Logits, labels: ArrayLike<number>, indices?: Uint32Array): number {
  const count = values.length / classes;
  let right = 0;
  for (let i = 0; i < count; i++) {
    if (argmax(values, i * classes, classes) === labels[indices ? indices[i]! : i]) right++;
  }
  return right / count;
}

/** All {@link Metrics} of logits against labels. */
export function measure({ classes, values }: Logits, labels: ArrayLike<number>): Metrics {
  const count = values.length / classes;
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ size: 0, confidence: 0, right: 0 }));
  let nll = 0;
  for (let i = 0; i < count; i++) {
    const row = values.subarray(i * classes, (i + 1) * classes);
    const label = labels[i]!;
    const predicted = argmax(row);
    const probabilities = softmax(row);
    confusion[label]![predicted]!++;
    nll -= logSoftmaxAt(row, label);
    const confidence = probabilities[predicted]!;
    const bin = bins[Math.min(CALIBRATION_BINS - 1, Math.floor(confidence * CALIBRATION_BINS))]!;
    bin.size++;
    bin.confidence += confidence;
    if (predicted === label) bin.right++;
  }
  const right = confusion.reduce((sum, row, label) => sum + row[label]!, 0);
  const perClass = confusion.map((row, label) => {
    const total = row.reduce((sum, cell) => sum + cell, 0);
    return total === 0 ? Number.NaN : row[label]! / total;
  });
  const ece = bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0) / count;
  return { accuracy: right / count, perClass, confusion, nll: nll / count, ece };
}

/** Agreement and divergence of two models' logits on the same samples. */
export function compareToTeacher(student: Logits, teacher: Logits): Fidelity {
  const { classes } = student;
  const count = student.values.length / classes;
  let same = 0;
  let kl = 0;
  for (let i = 0; i < count; i++) {
    const s = student.values.subarray(i * classes, (i + 1) * classes);
    const t = teacher.values.subarray(i * classes, (i + 1) * classes);
    if (argmax(s) === argmax(t)) same++;
    for (const [c, p] of softmax(t).entries()) if (p > 0) kl += p * (logSoftmaxAt(t, c) - logSoftmaxAt(s, c));
  }
  return { agreement: same / count, kl: kl / count };
}

function logSoftmaxAt(row: Float32Array, index: number): number {
  const largest = row[argmax(row)]!;
  let sum = 0;
  for (const z of row) sum += Math.exp(z - largest);
  return row[index]! - largest - Math.log(sum);
}
