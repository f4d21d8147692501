/** What a teacher says as logits of the data's classes: columns put in their order by name, a softmax undone. */
import { DistillateError } from "@distillate/bundle";
import type { DataNote } from "../../data/dataset.ts";
import type { Logits } from "../../evaluate.ts";

const SMALLEST_PROBABILITY = 1e-12;

/**
 * For each of the data's labels, which of the teacher's columns it is.
 *
 * @param theirs - The classes of the columns, in order; the data's where nobody says.
 * @throws DistillateError `teacher-classes`.
 */
export function columnsOf(
  from: string,
  theirs: readonly string[] | undefined,
  classes: number,
  labels: readonly string[],
): readonly number[] {
  const names = theirs ?? labels;
  if (names.length !== classes || classes < labels.length) {
    const known = theirs ? `teacher.labels names ${theirs.length}` : `the data have ${labels.length}`;
    throw wrongClasses(`${from} says ${classes} numbers an image, and ${known} classes`);
  }
  const missing = labels.filter((label) => !names.includes(label));
  if (missing.length > 0) throw wrongClasses(`teacher.labels lacks ${missing.slice(0, 10).join(", ")} of the data`);
  return labels.map((label) => names.indexOf(label));
}

/** Whether all rows are probabilities: a softmax stands at the end. */
export function areProbabilities(values: Float32Array, classes: number): boolean {
  for (let start = 0; start < values.length; start += classes) {
    const row = values.subarray(start, start + classes);
    const sum = row.reduce((total, value) => total + value, 0);
    if (row.some((value) => value < 0 || value > 1) || Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

/** Columns in the data's order; of probabilities the logarithms, which are logits up to a constant that no softmax sees. */
export function arrange(values: Float32Array, classes: number, columns: readonly number[], log: boolean): Logits {
  const count = values.length / classes;
  const arranged = new Float32Array(count * columns.length);
  for (let row = 0; row < count; row++) {
    for (const [place, column] of columns.entries()) {
      const value = values[row * classes + column]!;
      arranged[row * columns.length + place] = log ? Math.log(Math.max(value, SMALLEST_PROBABILITY)) : value;
    }
  }
  return { classes: columns.length, values: arranged };
}

/** What a report says of a teacher whose classes nobody named. */
export function labelsAssumed(from: string): DataNote {
  return {
    code: "teacher-labels-assumed",
    message: `${from} names no classes: they are taken to be in the order of the data`,
  };
}

/** What a report says of a teacher whose probabilities were turned into logits. */
export function logsTaken(from: string): DataNote {
  return {
    code: "teacher-probabilities",
    message: `${from} says probabilities, as a softmax does: their logarithms are its logits`,
  };
}

function wrongClasses(message: string): DistillateError {
  return new DistillateError({
    code: "teacher-classes",
    message,
    hint: "Name all of the teacher's classes, in the order of its outputs, in teacher.labels.",
  });
}
