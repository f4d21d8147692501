/** How many samples go through a model at a time, and what does not fit it. */
import { DistillateError } from "@distillate/bundle";
import type { Graph, Value } from "@distillate/export";

/** Samples at a time, where the model doesn't say so itself: few, so that what layers write stays in the processor's caches. */
const BATCH = 16;

/** The batch that a model insists on, or ours. */
export function batchOf({ inputs }: Pick<Graph, "inputs">): number {
  const [size] = inputs[0]!.shape;
  return typeof size === "number" ? size : BATCH;
}

/** A model of a fixed batch takes nothing less: what is left over is left out. */
export function wholeBatches(count: number, { name, shape: [size] }: Value): number {
  if (typeof size !== "number" || count === 0) return count;
  if (count < size)
    throw mismatch(name, `${count} samples`, `at least ${size}, the batch that the model was exported with`);
  return count - (count % size);
}

/** An input and its samples that do not fit. */
export function mismatch(input: string, found: string, expected: string): DistillateError {
  return new DistillateError({
    code: "calibration-mismatch",
    message: `input ${input} has ${found}, expected ${expected}`,
    hint: "Give samples prepared as the model's inputs are, the samples along the first axis.",
  });
}
