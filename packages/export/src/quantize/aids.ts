/** The accuracy aids by name, and where each goes into the pipeline. */
import type { Edge, Graph } from "../graph.ts";
import type { Range } from "./affine.ts";
import { clipWeights } from "./aids/clip-weights.ts";
import { correctBias } from "./aids/correct-bias.ts";
import { equalize } from "./aids/equalize.ts";
import { roundWeights } from "./aids/round-weights.ts";
import type { Calibration } from "./calibrate/observe.ts";
import type { Plan } from "./plan.ts";
import type { StaticPreset } from "./presets.ts";
import type { AidName, Recipe } from "./recipe.ts";

/** All that decides the integer file: what aids behind the calibration may change. */
export interface Calibrated {
  /** Still in float. Its structure stays as it was planned; constants may change. */
  readonly graph: Graph;
  readonly ranges: ReadonlyMap<Edge, Range>;
  /** Scales a channel (or one) of weights, where they are not to be taken from the largest magnitude; by the weight's name. */
  readonly weightScales: ReadonlyMap<Edge, Float32Array>;
}

/** What an aid is told. */
export interface AidContext extends Calibration {
  readonly recipe: Recipe;
  readonly preset: StaticPreset;
  readonly plan: Plan;
  /** The integer graph of a state, as it would be written now. */
  readonly write: (state: Calibrated) => Graph;
}

/** What an aid did at a node, or why it did nothing there. */
export interface AidNote {
  readonly aid: AidName;
  readonly node: string;
  readonly done: boolean;
  readonly what: string;
}

/** A rewrite of the float graph before it is planned and measured. */
export type AidBefore = (graph: Graph) => { readonly graph: Graph; readonly notes: readonly AidNote[] };
/** A change of weights, biases or scales after it. */
export type AidAfter = (
  state: Calibrated,
  context: AidContext,
) => Promise<{ readonly state: Calibrated; readonly notes: readonly AidNote[] }>;

/** In order. */
export const BEFORE_CALIBRATION: Readonly<Partial<Record<AidName, AidBefore>>> = { equalize };
/** In order: scales, then integers of these scales, then what the integers shift. */
export const AFTER_CALIBRATION: Readonly<Partial<Record<AidName, AidAfter>>> = {
  "clip-weights": clipWeights,
  "round-weights": roundWeights,
  "correct-bias": correctBias,
};
