/**
 * Successive halving: all candidates train a little, the better half of them a little more, until one of each size is left.
 *
 *   R = ceil(log2(candidates of the largest size)) rounds; every round has an equal part of the budget
 *   epochs of round k = budget * E / (R * candidates still there), at most E
 *
 * Jamieson and Talwalkar 2016 (arXiv 1502.07943), figure 3, with two changes. Candidates are ranked among those of their size
 * alone: the larger network is nearly always the better one, and its size is what a front is about. And each round trains from
 * new weights with its own schedule to the end: what is ranked is a finished training, if a shorter one.
 */
import { DistillateError } from "@distillate/bundle";

/** What of a candidate decides whether it goes on. */
export interface Scored {
  readonly id: string;
  readonly size: string;
}

/** One round: how long its candidates train. */
export interface Round {
  readonly epochs: number;
  /** How many train. */
  readonly candidates: number;
}

/**
 * The rounds of a search; none where every size has one candidate.
 *
 * @param sizes - How many candidates each size has.
 * @param epochs - Of a whole training.
 * @param budget - What all rounds may cost together, in whole trainings; left out, it is half of what training all candidates would.
 * @throws DistillateError `sweep-budget` where not even one epoch each is left, naming the least that is.
 */
export function planRounds(sizes: readonly number[], epochs: number, budget?: number): readonly Round[] {
  const count = Math.ceil(Math.log2(Math.max(...sizes)));
  const left = Array.from({ length: count }, (_, round) =>
    sizes.reduce((sum, size) => sum + Math.ceil(size / 2 ** round), 0),
  );
  const least = Math.max(0, ...left.map((candidates) => (count * candidates) / epochs));
  const total = budget ?? Math.max(least, sizes.reduce((sum, size) => sum + size, 0) / 2);
  if (total < least - 1e-9) {
    throw new DistillateError({
      code: "sweep-budget",
      message: `--budget is ${total} trainings of ${epochs} epochs; ${left[0]} candidates in ${count} rounds need ${Number(least.toFixed(2))} for one epoch each`,
      hint: "Raise it, or vary less.",
    });
  }
  return left.map((candidates) => ({
    candidates,
    epochs: Math.min(epochs, Math.max(1, Math.floor((total * epochs) / (count * candidates) + 1e-9))),
  }));
}

/** The better half of each size, rounded up; of equal scores the first. */
export function betterHalf<Candidate extends Scored>(
  candidates: readonly Candidate[],
  scores: ReadonlyMap<string, number>,
): readonly Candidate[] {
  const kept = new Set<Candidate>();
  for (const size of new Set(candidates.map((candidate) => candidate.size))) {
    const members = candidates.filter((candidate) => candidate.size === size);
    const ranked = [...members].sort((a, b) => scores.get(b.id)! - scores.get(a.id)!);
    for (const candidate of ranked.slice(0, Math.ceil(members.length / 2))) kept.add(candidate);
  }
  return candidates.filter((candidate) => kept.has(candidate));
}
