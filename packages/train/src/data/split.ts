import { DistillateError } from "@distillate/bundle";
import { randomFor, shuffle } from "../random.ts";

/** Which samples train and which choose the epoch. Indices ascend. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/** The training part of a {@link Split}, by whether labels may be looked at. Indices ascend. */
export interface Labelling {
  readonly labelled: Uint32Array;
  /** What only a teacher speaks about. */
  readonly unlabelled: Uint32Array;
}

/**
 * Holds out a part of the training samples, class by class, so that both parts have the classes in the same proportion.
 *
 * @param validation - A fraction below 1, or a count; each class gives its share, rounded so that the total is exact.
 * @throws DistillateError `split-impossible` when nothing would be left to train on.
 */
export function splitTrainValidation(classes: ArrayLike<number>, validation: number, seed: number): Split {
  const all = Uint32Array.from({ length: classes.length }, (_, index) => index);
  const total = Math.max(1, validation < 1 ? Math.round(classes.length * validation) : validation);
  if (total >= classes.length) {
    throw new DistillateError({
      code: "split-impossible",
      message: `data.validation holds out ${total} of ${classes.length} training images: none is left to train on`,
      hint: "Lower data.validation (a fraction below 1 fits every size), or raise data.limit.",
    });
  }
  const { taken, left } = takeByClass(all, classes, total, [seed, 0x5b117]);
  return { train: left, validation: taken };
}

/**
 * Hides the labels of a training part but for a fraction, class by class: what an experiment on few labels needs.
 *
 * @param fraction - Of the labels that stay, above 0; 1 keeps all.
 */
export function hideLabels(train: Uint32Array, classes: ArrayLike<number>, fraction: number, seed: number): Labelling {
  if (fraction === 1) return { labelled: train, unlabelled: new Uint32Array() };
  const total = Math.max(1, Math.round(train.length * fraction));
  const { taken, left } = takeByClass(train, classes, total, [seed, 0x1abe1]);
  return { labelled: taken, unlabelled: left };
}

/** Takes `total` of the samples, so that both parts have the classes in the same proportion. */
function takeByClass(
  samples: Uint32Array,
  classes: ArrayLike<number>,
  total: number,
  [seed, purpose]: readonly [number, number],
): { readonly taken: Uint32Array; readonly left: Uint32Array } {
  const byClass = new Map<number, number[]>();
  for (const sample of samples) {
    const members = byClass.get(classes[sample]!) ?? [];
    members.push(sample);
    byClass.set(classes[sample]!, members);
  }

  // Largest remainders: whole shares first, what is left to the largest fractions.
  const shares = [...byClass]
    .sort(([a], [b]) => a - b)
    .map(([label, members]) => {
      const exact = (members.length * total) / samples.length;
      return { label, members, held: Math.floor(exact), fraction: exact - Math.floor(exact) };
    });
  let open = total - shares.reduce((sum, { held }) => sum + held, 0);
  for (const share of [...shares].sort((a, b) => b.fraction - a.fraction || a.label - b.label)) {
    if (open-- > 0) share.held++;
  }

  const held = new Set<number>();
  for (const { label, members, held: count } of shares) {
    const order = Uint32Array.from(members);
    shuffle(order, randomFor(seed, purpose, label));
    for (const sample of order.subarray(0, count)) held.add(sample);
  }
  return { taken: samples.filter((sample) => held.has(sample)), left: samples.filter((sample) => !held.has(sample)) };
}
