import type { LossName, LossTerm } from "../losses/index.ts";

/** Losses that compare the samples of a batch with each other: no sum over parts of it is the loss of the whole. */
const ACROSS_BATCH: { readonly [Name in LossName]?: string } = {
  dist: "dist correlates over the samples of a batch",
  rkd: "rkd compares the samples of a batch in pairs and triples",
  sp: "sp compares the samples of a batch in pairs",
};

/** Why an objective needs all of a batch at once; `undefined` where its parts do. */
export function needsWholeBatch(objective: readonly LossTerm[]): string | undefined {
  return objective.map(({ name }) => ACROSS_BATCH[name]).find((reason) => reason !== undefined);
}
