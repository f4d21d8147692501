import { DistillateError } from "@distillate/bundle";
import { randomFor, shuffle } from "../random.ts";

/** Which samples train and which choose the epoch. Indices ascend. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Holds out a part of the training samples, class by class, so that both parts have the classes in the same proportion.
 *
 * @param validation - A fraction below 1, or a count; each class gives its share, rounded so that the total is exact.
 * @throws DistillateError `split-impossible` when nothing would be left to train on.
 */
export function splitTrainValidation(classes: ArrayLike<number>, validation: number, seed: number): Split {
  const total = Math.max(1, validation < 1 ? Math.round(classes.length * validation) : validation);
  if (total >= classes.length) {
    throw new DistillateError({
      code: "split-impossible",
      message: `data.validation holds out ${total} of ${classes.length} training images: none is left to train on`,
      hint: "Lower data.validation (a fraction below 1 fits every size), or raise data.limit.",
    });
  }
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < classes.length; i++) {
    const members = byClass.get(classes[i]!) ?? [];
    members.push(i);
    byClass.set(classes[i]!, members);
  }

  // Largest remainders: whole shares first, what is left to the largest fractions.
  const shares = [...byClass]
    .sort(([a], [b]) => a - b)
    .map(([label, members]) => {
      const exact = (members.length * total) / classes.length;
      return { label, members, held: Math.floor(exact), fraction: exact - Math.floor(exact) };
    });
  let left = total - shares.reduce((sum, { held }) => sum + held, 0);
  for (const share of [...shares].sort((a, b) => b.fraction - a.fraction || a.label - b.label)) {
    if (left-- > 0) share.held++;
  }

  const held = new Uint8Array(classes.length);
  for (const { label, members, held: count } of shares) {
    const order = Uint32Array.from(members);
    shuffle(order, randomFor(seed, 0x5b117, label));
    for (const index of order.subarray(0, count)) held[index] = 1;
  }
  const indices = Uint32Array.from({ length: classes.length }, (_, index) => index);
  return {
    train: indices.filter((index) => held[index] === 0),
    validation: indices.filter((index) => held[index] === 1),
  };
}
