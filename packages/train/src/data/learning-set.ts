/** Which images of a set the networks of a run learn from, and whose labels they may look at: the same for all of them. */
import type { RunConfig, TrainingConfig } from "../config.ts";
import type { Dataset, Images } from "./dataset.ts";
import { hideLabels, splitTrainValidation } from "./split.ts";

/** The images of a run, by what may be known of them; indices are into `images` and ascend. */
export interface LearningSet {
  /** The training part, then the unlabelled images. */
  readonly images: Images;
  readonly validation: Uint32Array;
  /** Those that may be learned from by their labels. */
  readonly labelled: Uint32Array;
  /** Those that may be learned from where a teacher speaks: `labelled` and all whose label is hidden or unknown. */
  readonly all: Uint32Array;
  /** Whose label is there, and must not be looked at. */
  readonly hidden: ReadonlySet<number>;
}

/**
 * Splits a data set as its configuration says; the first seed decides how.
 *
 * @throws DistillateError `split-impossible`.
 */
export function learningSetOf(
  { train, unlabelled }: Pick<Dataset, "train" | "unlabelled">,
  { data, seeds }: Pick<RunConfig, "data" | "seeds">,
): LearningSet {
  const split = splitTrainValidation(train.classes, data.validation, seeds[0]!);
  const labelling = hideLabels(split.train, train.classes, data.labelled, seeds[0]!);
  const hidden = new Set(labelling.unlabelled);
  const { labelled } = labelling;
  if (unlabelled === undefined) {
    return { images: train, validation: split.validation, labelled, all: split.train, hidden };
  }
  const more = Uint32Array.from({ length: unlabelled.count }, (_, i) => train.count + i);
  return {
    images: joined(train, unlabelled),
    validation: split.validation,
    labelled,
    all: Uint32Array.from([...split.train, ...more]),
    hidden,
  };
}

/**
 * The training of a network that learns from the labels alone: it sees its fewer images more often, so that it takes as many
 * steps as one that hears a teacher about all of them.
 */
export function onLabelsAlone<Training extends Pick<TrainingConfig, "epochs" | "patience">>(
  training: Training,
  { labelled, all }: Pick<LearningSet, "labelled" | "all">,
): Training {
  const times = (epochs: number): number => Math.max(1, Math.round((epochs * all.length) / labelled.length));
  const { epochs, patience } = training;
  return { ...training, epochs: times(epochs), ...(patience !== undefined && { patience: times(patience) }) };
}

function joined(first: Images, second: Images): Images {
  const pixels = new Uint8Array(first.pixels.length + second.pixels.length);
  pixels.set(first.pixels);
  pixels.set(second.pixels, first.pixels.length);
  const classes = new Uint16Array(first.count + second.count);
  classes.set(first.classes);
  classes.set(second.classes, first.count);
  const names = first.names && second.names && [...first.names, ...second.names];
  return { count: classes.length, shape: first.shape, pixels, classes, ...(names && { names }) };
}
