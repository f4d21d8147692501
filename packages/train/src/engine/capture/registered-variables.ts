import * as tf from "@tensorflow/tfjs-core";

/** All variables of the process, in the order in which they were made. */
export function registeredVariables(): readonly tf.Variable[] {
  return Object.values(tf.engine().registeredVariables);
}

/** Whether a step that began with these variables has made none and disposed of none. */
export function hasKeptVariables(before: readonly tf.Variable[]): boolean {
  const after = registeredVariables();
  return after.length === before.length && after.every((variable, place) => variable === before[place]);
}
