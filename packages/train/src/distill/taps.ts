/**
 * Networks with the outputs of some layers beside their logits: one model with several outputs, run once a step, so that batch
 * statistics are taken once and dropout has one mask.
 */
import { DistillateError } from "@distillate/bundle";
import type * as tf from "@tensorflow/tfjs-core";
import {
  initializers,
  type LayersModel,
  layers,
  model as makeModel,
  type SymbolicTensor,
} from "@tensorflow/tfjs-layers";
import { featureName, type LossName, type LossTerm, type Outputs, type Tap } from "../losses/index.ts";
import { deriveSeed } from "../random.ts";

/** A model whose outputs are logits and then the features of `names`. */
export interface TappedModel {
  readonly model: LayersModel;
  readonly names: readonly string[];
}

/** Runs a tapped model. */
export function applyTapped({ model, names }: TappedModel, inputs: tf.Tensor, training: boolean): Outputs {
  const outputs = model.apply(inputs, { training });
  if (!Array.isArray(outputs)) return { logits: outputs as tf.Tensor2D };
  const [logits, ...features] = outputs as tf.Tensor[];
  return {
    logits: logits as tf.Tensor2D,
    features: Object.fromEntries(names.map((name, i) => [name, features[i]!])),
  };
}

/** The taps of an objective, each once for every loss that uses it. */
export function tapsOf(objective: readonly LossTerm[]): readonly { readonly loss: LossName; readonly tap: Tap }[] {
  return objective.flatMap((term) => ("taps" in term ? term.taps.map((tap) => ({ loss: term.name, tap })) : []));
}

/** @throws DistillateError `tap-unknown` for a layer that the teacher doesn't have. */
export function tapTeacher(teacher: LayersModel, objective: readonly LossTerm[]): TappedModel {
  const names = [...new Set(tapsOf(objective).map(({ tap }) => tap.teacher))];
  return tapped(teacher, new Map(names.map((name) => [name, outputOf(teacher, name, "teacher")])));
}

/**
 * The student with its taps. Hints pass a 1x1 convolution (or a dense layer) to the teacher's number of channels: it is
 * trained with the student and is no part of it.
 *
 * @throws DistillateError `tap-unknown`, or `tap-mismatch` with both shapes.
 */
export function tapStudent(
  student: LayersModel,
  teacher: LayersModel,
  objective: readonly LossTerm[],
  seed: number,
): TappedModel {
  const outputs = new Map<string, SymbolicTensor>();
  for (const [place, { loss, tap }] of tapsOf(objective).entries()) {
    const ours = outputOf(student, tap.student, "student");
    const theirs = outputOf(teacher, tap.teacher, "teacher");
    checkShapes(loss, tap, ours.shape, theirs.shape);
    const name = featureName(loss, tap);
    outputs.set(name, loss === "fitnet" ? regress(name, ours, theirs, deriveSeed(seed, 1000 + place)) : ours);
  }
  return tapped(student, outputs);
}

function tapped(model: LayersModel, outputs: ReadonlyMap<string, SymbolicTensor>): TappedModel {
  if (outputs.size === 0) return { model, names: [] };
  const all = [model.outputs[0]!, ...outputs.values()];
  return { model: makeModel({ inputs: model.inputs, outputs: all }), names: [...outputs.keys()] };
}

function outputOf(model: LayersModel, name: string, role: "student" | "teacher"): SymbolicTensor {
  const layer = model.layers.find((each) => each.name === name);
  if (layer) return layer.output as SymbolicTensor;
  throw new DistillateError({
    code: "tap-unknown",
    message: `the ${role} has no layer ${name}, where distill.*.taps looks for one`,
    hint: `Its layers are ${model.layers.map((each) => each.name).join(", ")}.`,
  });
}

type Shape = SymbolicTensor["shape"];

/** What each loss needs of a pair: places that correspond, where it compares places; anything, where it compares samples. */
function checkShapes(loss: LossName, { student, teacher }: Tap, ours: Shape, theirs: Shape): void {
  const images = ours.length === 4 && theirs.length === 4;
  const samePlaces = images && ours[1] === theirs[1] && ours[2] === theirs[2];
  const fits: { readonly [Name in LossName]?: boolean } = {
    at: samePlaces,
    fitnet: samePlaces || (ours.length === 2 && theirs.length === 2),
    rkd: [2, 4].includes(ours.length) && [2, 4].includes(theirs.length),
  };
  if (fits[loss] !== false) return;
  const shape = (dims: Shape): string => `[${dims.map((dim) => dim ?? "batch").join(", ")}]`;
  throw new DistillateError({
    code: "tap-mismatch",
    message: `${loss} cannot compare ${student} of the student, ${shape(ours)}, with ${teacher} of the teacher, ${shape(theirs)}`,
    hint: "Tap layers whose feature maps have the same height and width, or use sp, which takes any.",
  });
}

function regress(name: string, ours: SymbolicTensor, theirs: SymbolicTensor, seed: number): SymbolicTensor {
  const channels = theirs.shape.at(-1)!;
  const layer =
    ours.shape.length === 2
      ? layers.dense({ name, units: channels, kernelInitializer: initializers.heNormal({ seed }) })
      : layers.conv2d({ name, filters: channels, kernelSize: 1, kernelInitializer: initializers.heNormal({ seed }) });
  return layer.apply(ours) as SymbolicTensor;
}
