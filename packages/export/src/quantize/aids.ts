/** Where accuracy aids go into the pipeline: rewrites of the float graph before it is measured, changes of what is written after. */
import type { Edge, Graph } from "../graph.ts";
import type { Range } from "./affine.ts";
import type { Calibration } from "./calibrate/observe.ts";
import type { Recipe } from "./recipe.ts";

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
  /** The integer graph of a state, as it would be written now. */
  readonly write: (state: Calibrated) => Graph;
}

/** A rewrite of the float graph before it is planned and measured. Returns its argument when it has nothing to do. */
export type AidBefore = (graph: Graph, context: Omit<AidContext, "write">) => Graph | Promise<Graph>;
/** A change of weights, biases, ranges or scales after it. */
export type AidAfter = (state: Calibrated, context: AidContext) => Calibrated | Promise<Calibrated>;

/** In order. */
export const BEFORE_CALIBRATION: readonly AidBefore[] = [];
/** In order. */
export const AFTER_CALIBRATION: readonly AidAfter[] = [];
