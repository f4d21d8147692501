/**
 * A training step as a function of tensors: forward, losses, gradients, clipping, update and average in one piece, which an engine
 * with graphs captures.
 *
 * Whatever differs from step to step goes in as a tensor: the batch, what a teacher outside said of it, the step's number (for
 * dropout), the optimiser's numbers, knobs that move. Everything else may be frozen.
 */
import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { TrainingConfig } from "./config.ts";
import type { Batch } from "./data/batches.ts";
import { termsAt } from "./distill/objective.ts";
import { type StepResult, trainingStep } from "./distill/step.ts";
import { applyTapped, type TappedModel } from "./distill/taps.ts";
import { compileStep, type Fallback, type StepStats, type Tensors } from "./engine/capture/compile-step.ts";
import { imagesFromBytes, wordsOf } from "./engine/images-from-bytes.ts";
import type { Labels, LossTerm, MovedTerm, Outputs } from "./losses/index.ts";
import { setDropoutStep } from "./models/seeded-dropout.ts";
import {
  applyGradients,
  clipByGlobalNorm,
  numbersOf,
  type OptimizerState,
  startOptimizer,
} from "./optimizers/apply.ts";
import { makeOptimizer, type Optimizer } from "./optimizers/index.ts";
import type { WeightAverage } from "./weight-average.ts";

/** Losses of one step by name; `total` is their weighted sum. */
export type LossValues = Readonly<Record<string, number>>;

/** A teacher outside of the step, asked about each batch: it answers with logits. */
export type AskedTeacher = (batch: Batch) => Spoken | Promise<Spoken>;

type Spoken = Pick<Outputs, "logits">;

/** The teacher's part in a step: a network that is run on the very batch, or one that is asked. */
export type Teacher = TappedModel | AskedTeacher;

/** What takes part in a training. */
export interface TrainingParts {
  readonly network: TappedModel;
  readonly objective: readonly LossTerm[];
  readonly teacher?: Teacher;
  readonly preprocess: PreprocessSpec;
  readonly training: Pick<TrainingConfig, "optimizer" | "clipNorm"> & Partial<Pick<TrainingConfig, "precision">>;
  /** Where a checkpoint left the slots of the optimiser, as {@link CompiledTraining.slots} gives them; otherwise they are zero. */
  readonly slots?: readonly Float32Array[];
  readonly average?: WeightAverage;
  /** `false` runs every step eagerly. */
  readonly capture?: boolean;
  readonly onFallback?: (fallback: Fallback) => void;
}

/** Where a step stands. */
export interface Moment {
  /** Learning rate. */
  readonly rate: number;
  /** Steps before this one. */
  readonly step: number;
  /** Epochs before this step, with fractions. */
  readonly epoch: number;
}

/** A training's steps. */
export interface CompiledTraining {
  /** Takes one step; the weights and all other state are updated even if a loss is not finite. */
  take(batch: Batch, moment: Moment): Promise<LossValues>;
  /** Compares the next step with its graph: called where numbers that no step was told of might have changed. */
  recheck(): void;
  /** What the optimiser keeps, as it is now: weight by weight in the network's order, slot by slot. */
  slots(): readonly Float32Array[];
  stats(): StepStats;
  dispose(): void;
}

type Scalars = Readonly<Record<string, tf.Scalar>>;

/** Makes the steps of a training. */
export function compileTraining(parts: TrainingParts): CompiledTraining {
  const { network, teacher, training, onFallback, capture = true } = parts;
  const optimizer = makeOptimizer(training.optimizer);
  const state = startOptimizer(network.model, optimizer, parts.slots);
  const updated = { ...parts, optimizer, state };
  // Our own optimisers are handed their numbers.
  const { precision } = training;
  const options = { optimizer: null, capture, ...(precision && { precision }), ...(onFallback && { onFallback }) };
  const compiled = compileStep((inputs) => takeStep(updated, inputs), options);
  return {
    async take(batch, moment) {
      const said = typeof teacher === "function" ? await teacher(batch) : undefined;
      const inputs = { ...lessonOf(parts, batch, said, moment), ...updateNumbers(updated, moment) };
      try {
        const losses = Object.entries(compiled.run(inputs));
        const values = losses.map(([name, loss]) => [name, loss.dataSync()[0]!] as const);
        tf.dispose(losses.map(([, loss]) => loss));
        return Object.fromEntries(values);
      } finally {
        tf.dispose(Object.values(inputs));
      }
    },
    recheck: compiled.recheck,
    slots: () => state.slots.flat().map((slot) => slot.dataSync<"float32">().slice()),
    stats: compiled.stats,
    dispose() {
      compiled.dispose();
      state.dispose();
    },
  };
}

interface UpdateParts extends TrainingParts {
  readonly optimizer: Optimizer;
  readonly state: OptimizerState;
}

/** What the update must be told, by name. */
function updateNumbers(
  { optimizer, average }: Pick<UpdateParts, "optimizer" | "average">,
  { rate, step }: Pick<Moment, "rate" | "step">,
): Tensors {
  return scalars({
    ...named("optimizer", numbersOf(optimizer, rate, step + 1)),
    ...(average && { kept: average.kept(step + 1) }),
  });
}

/** What gradients must be told, by name: samples, labels, what was said of them, knobs that move. */
function lessonOf(
  { objective, preprocess }: Pick<TrainingParts, "objective" | "preprocess">,
  batch: Batch,
  said: Outputs | undefined,
  { step, epoch }: Pick<Moment, "step" | "epoch">,
): Tensors {
  const { mixed } = batch;
  const { height, width, channels } = preprocess;
  return {
    ...(batch.bytes
      ? { words: wordsOf(batch.bytes, batch.size) }
      : { inputs: tf.tensor(batch.inputs, [batch.size, height, width, channels]) }),
    step: tf.scalar(step, "int32"),
    ...named("labels", labelTensors(batch.classes)),
    ...(mixed && named("partners", labelTensors(mixed.partners))),
    ...(said && { logits: said.logits, ...named("feature", said.features ?? {}) }),
    ...scalars({ ...named("term", movedKnobs(objective, epoch)), ...(mixed && { share: mixed.share }) }),
  };
}

/** The step itself: tensors in, losses out, and the variables as they are after it. */
function takeStep(parts: UpdateParts, inputs: Tensors): Tensors {
  const { losses, gradients } = gradientsOf(parts, inputs);
  update(parts, gradients, inputs);
  return losses;
}

/** Losses and gradients of a lesson; the network's own averages are as they are after it. Runs inside a `tidy`. */
function gradientsOf({ network, objective, teacher, preprocess }: TrainingParts, inputs: Tensors): StepResult {
  const words = inputs.words as tf.Tensor2D | undefined;
  const images = words ? imagesFromBytes(words, preprocess) : inputs.inputs!;
  setDropoutStep(network.model, inputs.step as tf.Scalar);
  const share = inputs.share as tf.Scalar | undefined;
  const said = typeof teacher === "object" ? applyTapped(teacher, images, false) : outputsIn(inputs);
  const targets = {
    labels: group(inputs, "labels") as unknown as Labels,
    ...(said && { teacher: said }),
    ...(share && { mixed: { labels: group(inputs, "partners") as unknown as Labels, share } }),
  };
  const knobs = group(inputs, "term");
  const terms = objective.map((term, i) => ({ ...term, ...group(knobs, String(i)) }) as unknown as MovedTerm);
  return trainingStep(network, terms, images, targets);
}

/** Clips gradients, updates the weights with them and takes those into the average. Runs inside a `tidy`. */
function update(
  { network, optimizer, state, average, training }: UpdateParts,
  gradients: StepResult["gradients"],
  numbers: Tensors,
): void {
  const limited = training.clipNorm === undefined ? gradients : clipByGlobalNorm(gradients, training.clipNorm);
  applyGradients(network.model, optimizer, state, limited, group(numbers, "optimizer") as Scalars);
  average?.update(numbers.kept as tf.Scalar);
}

/** The knobs that have a schedule, with their values now: `<term>.<knob>`. */
function movedKnobs(objective: readonly LossTerm[], epoch: number): Readonly<Record<string, number>> {
  const now = termsAt(objective, epoch);
  return Object.fromEntries(
    objective.flatMap((term, i) =>
      Object.entries(term).flatMap(([knob, value]) =>
        typeof value === "object" && "from" in value
          ? [[`${i}.${knob}`, (now[i] as unknown as Record<string, number>)[knob]!]]
          : [],
      ),
    ),
  );
}

function outputsIn(inputs: Tensors): Outputs | undefined {
  return inputs.logits && { logits: inputs.logits as tf.Tensor2D, features: group(inputs, "feature") };
}

/** Classes as a tensor; where some are -1, what each of the others counts. */
function labelTensors(classes: Int32Array): Tensors {
  if (!classes.includes(-1)) return { classes: tf.tensor1d(classes, "int32") };
  const divisor = Math.max(
    1,
    classes.reduce((count, each) => count + Number(each >= 0), 0),
  );
  return {
    classes: tf.tensor1d(
      classes.map((each) => Math.max(0, each)),
      "int32",
    ),
    weights: tf.tensor1d(Float32Array.from(classes, (each) => Number(each >= 0) / divisor)),
  };
}

function scalars(numbers: Readonly<Record<string, number>>): Tensors {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)]));
}

/** Values under names with a prefix. */
function named<Value>(prefix: string, values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function group(tensors: Tensors, prefix: string): Tensors {
  const members = Object.entries(tensors).filter(([name]) => name.startsWith(`${prefix}.`));
  return Object.fromEntries(members.map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]));
}
