/**
 * All losses by name. Each sees one batch through both networks; what it needs beyond the labels is checked before the first
 * step (see objective.ts).
 */
import * as tf from "@tensorflow/tfjs-core";
import { attentionTransfer } from "./attention-transfer.ts";
import type { DistillConfig, Scheduled } from "./config.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { decoupledDistillation } from "./decoupled.ts";
import { correlationDistillation } from "./dist.ts";
import { distillation } from "./distillation.ts";
import { meanSquaredError } from "./mean-squared-error.ts";
import { relationalDistillation } from "./relational.ts";
import { similarityPreserving } from "./similarity-preserving.ts";
import { standardize } from "./standardize.ts";

/** What a network says of one batch. */
export interface Outputs {
  /** `[N, C]`. */
  readonly logits: tf.Tensor2D;
  /** Outputs of tapped layers, by tap: `[N, ...]`. */
  readonly features?: Readonly<Record<string, tf.Tensor>>;
}

/** The labels of a batch. */
export interface Labels {
  /** `[N]`, int32; any class for a sample without a label. */
  readonly classes: tf.Tensor1D;
  /** What each sample counts, `[N]`: 0 without a label; left out where all count alike, 1 / N. */
  readonly weights?: tf.Tensor1D;
}

/** What a loss sees of one batch. */
export interface LossInput {
  readonly student: Outputs;
  readonly labels: Labels;
  /** There where images were mixed: the partners' labels, and the share that is left of each sample's own. */
  readonly mixed?: { readonly labels: Labels; readonly share: number | tf.Scalar };
  /** There while a teacher takes part; it gets no gradient. */
  readonly teacher?: Outputs;
}

/** Two layers whose outputs are compared. */
export interface Tap {
  readonly student: string;
  readonly teacher: string;
}

type Configured = Required<DistillConfig>;

/** One term of an objective: which loss, how heavy, with which knobs. */
export type LossTerm = {
  [Name in keyof Configured]: { readonly name: Name } & Readonly<NonNullable<Configured[Name]>>;
}[keyof Configured] & { readonly smoothing?: number };

/** The name of a loss. */
export type LossName = LossTerm["name"];

/** A knob that may move is a tensor while it does, so that a captured step is told its value. */
type Moved<Term> = {
  readonly [Key in keyof Term]: Scheduled extends Term[Key] ? number | tf.Scalar : Term[Key];
};

/** A term at one moment of the training. */
export type TermOf<Name extends LossName> = Moved<Extract<LossTerm, { name: Name }>>;

/** Any term at one moment of the training. */
export type MovedTerm = { [Name in LossName]: TermOf<Name> }[LossName];

/** All losses. */
export const LOSSES: { readonly [Name in LossName]: (input: LossInput, term: TermOf<Name>) => tf.Scalar } = {
  ce: ({ student, labels, mixed }, { smoothing = 0 }) => {
    const own = withLabels(student.logits, labels, smoothing);
    if (mixed === undefined) return own;
    const others = withLabels(student.logits, mixed.labels, smoothing);
    return tf.add(tf.mul(own, mixed.share), tf.mul(others, tf.sub(1, mixed.share)));
  },
  kd: (input, term) => {
    const { student, teacher } = logitsOf(input, term.standardize);
    return distillation(student, teacher, term.temperature);
  },
  mse: (input) => {
    const { student, teacher } = logitsOf(input, false);
    return meanSquaredError(student, teacher);
  },
  dkd: (input, term) => {
    const { student, teacher } = logitsOf(input, term.standardize);
    return decoupledDistillation(student, teacher, input.labels.classes, term);
  },
  dist: (input, term) => {
    const { student, teacher } = logitsOf(input, term.standardize);
    return correlationDistillation(student, teacher, term);
  },
  hard: (input) => {
    const { student, teacher } = logitsOf(input, false);
    return crossEntropy(student, tf.argMax(teacher, 1));
  },
  at: (input, { taps }) => overTaps(input, taps, "at", attentionTransfer),
  fitnet: (input, { taps }) => overTaps(input, taps, "fitnet", meanSquaredError),
  rkd: (input, term) =>
    overTaps(input, term.taps, "rkd", (student, teacher) => relationalDistillation(student, teacher, term)),
  sp: (input, { taps }) => overTaps(input, taps, "sp", similarityPreserving),
};

/** Under which name the student's features carry a tap: a regressed one belongs to its pair of layers. */
export function featureName(loss: LossName, { student, teacher }: Tap): string {
  return loss === "fitnet" ? `${student}_as_${teacher}` : student;
}

/** Cross-entropy over the samples that have a label: 0, without a slope, where none has. */
function withLabels(logits: tf.Tensor2D, { classes, weights }: Labels, smoothing: number): tf.Scalar {
  return crossEntropy(logits, classes, smoothing, weights);
}

function teacherOf({ teacher }: LossInput): Outputs {
  if (teacher === undefined) throw new Error("this loss needs a teacher");
  return teacher;
}

function logitsOf(
  input: LossInput,
  standardized: boolean,
): { readonly student: tf.Tensor2D; readonly teacher: tf.Tensor2D } {
  const [student, teacher] = [input.student.logits, teacherOf(input).logits];
  return standardized ? { student: standardize(student), teacher: standardize(teacher) } : { student, teacher };
}

/** The sum over all pairs of layers. */
function overTaps(
  input: LossInput,
  taps: readonly Tap[],
  name: LossName,
  loss: (student: tf.Tensor, teacher: tf.Tensor) => tf.Scalar,
): tf.Scalar {
  const teacher = teacherOf(input).features!;
  return tf.addN(
    taps.map((tap) => loss(input.student.features![featureName(name, tap)]!, teacher[tap.teacher]!)),
  ) as tf.Scalar;
}
