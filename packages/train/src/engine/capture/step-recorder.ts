/** What {@link compileStep} asks of an engine that can record a step and run it again without tfjs in between. */
import type * as tf from "@tensorflow/tfjs-core";

/** Why a step cannot be captured. */
export interface Obstacle {
  /** The op, or kernel, at which it was found, where it was at one. */
  readonly op?: string;
  readonly reason: string;
}

/** What came of recording a step: its outputs are right in any case. */
export interface Recorded<What> {
  readonly outputs: readonly tf.Tensor[];
  readonly recording?: What;
  readonly obstacle?: Obstacle;
}

/** A recording, with the values that the feeds had meanwhile. */
export interface Traced<Recording> {
  readonly recording: Recording;
  readonly feeds: Readonly<Record<string, number>>;
}

/** A step that runs by itself. */
export interface StepProgram {
  /** Runs it; the caller disposes of the outputs. */
  run(inputs: readonly tf.Tensor[], feeds: Readonly<Record<string, () => number>>): tf.Tensor[];
  /** Brings tfjs' variables up to date. */
  sync(): void;
  /** Does so and frees what the program has. */
  dispose(): void;
}

/** Records steps of one engine. */
export interface StepRecorder<Recording> {
  /** Runs a step eagerly and records it. */
  record(inputs: readonly tf.Tensor[], step: () => readonly tf.Tensor[]): Recorded<Recording>;
  /** What both recordings have in common as a program to be loaded, or their first difference. */
  reconcile(one: Traced<Recording>, other: Traced<Recording>): { load(): StepProgram } | Obstacle;
  /** Frees what a recording holds. */
  drop(recording: Recording): void;
}
