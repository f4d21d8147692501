/** How good outputs are: against labels, and against another model's outputs for the same samples. */
import { argmax } from "@distillate/bundle";

/** Rows of outputs of one target. */
export interface Outputs {
  readonly id: string;
  readonly values: readonly number[];
}

/** Measures of one target's outputs. */
export interface Quality {
  readonly samples: number;
  readonly accuracy?: number | undefined;
  readonly agreement?: number | undefined;
  readonly reference?: string | undefined;
  readonly largestDifference?: number | undefined;
  /** The class it names, sample by sample. */
  readonly answers: readonly number[];
}

/** Rows of a classifier's scores; only accuracy and agreement make sense for those, the difference for any outputs. */
export function qualityOf(
  { id, values }: Outputs,
  samples: number,
  labels: ArrayLike<number> | undefined,
  reference: Outputs | undefined,
): Quality {
  const classes = values.length / samples;
  const answer = (row: number, of: readonly number[]): number => argmax(of, row * classes, classes);
  const share = (isRight: (row: number) => boolean): number => {
    let right = 0;
    for (let row = 0; row < samples; row++) if (isRight(row)) right++;
    return right / samples;
  };
  const other = reference && reference.id !== id && reference.values.length === values.length ? reference : undefined;
  return {
    samples,
    answers: Array.from({ length: samples }, (_, row) => answer(row, values)),
    ...(labels && { accuracy: share((row) => answer(row, values) === labels[row]) }),
    ...(other && {
      reference: other.id,
      agreement: share((row) => answer(row, values) === answer(row, other.values)),
      largestDifference: values.reduce((most, value, i) => Math.max(most, Math.abs(value - other.values[i]!)), 0),
    }),
  };
}
