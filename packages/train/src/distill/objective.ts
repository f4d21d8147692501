/** The objective of a network: a list of named losses whose weighted sum is made small. */
import { DistillateError } from "@distillate/bundle";
import type { TrainingConfig } from "../config.ts";
import { isMixing } from "../data/mix.ts";
import { type DistillConfig, type Scheduled, valueAt } from "../losses/config.ts";
import type { LossTerm } from "../losses/index.ts";

/**
 * The objective of a network: labels alone for teachers and baselines, labels and teacher for students.
 * A term without weight is left out.
 */
export function objectiveOf(
  training: Pick<TrainingConfig, "labelSmoothing">,
  distill?: DistillConfig,
): readonly LossTerm[] {
  const { ce, ...asking } = distill ?? { ce: { weight: 1 } };
  const terms = [
    { name: "ce", ...ce, smoothing: training.labelSmoothing },
    ...Object.entries(asking).map(([name, knobs]) => ({ name, ...knobs })),
  ] as readonly LossTerm[];
  return terms.filter(({ weight }) => weight !== 0);
}

/** The terms at one moment: every schedule read. */
export function termsAt(objective: readonly LossTerm[], epoch: number): readonly LossTerm[] {
  return objective.map((term) => {
    const at = (value: Scheduled): number => valueAt(value, epoch);
    return {
      ...term,
      weight: at(term.weight),
      ...("temperature" in term && { temperature: at(term.temperature) }),
    } as LossTerm;
  });
}

/**
 * Refuses what cannot teach anything.
 *
 * @param allLabelled - Whether every image that is trained on has a label that may be looked at.
 * @throws DistillateError `loss-degenerate`, naming the loss and why.
 */
export function checkObjective(
  objective: readonly LossTerm[],
  classes: number,
  { augment }: Pick<TrainingConfig, "augment">,
  allLabelled: boolean,
): void {
  if (objective.every((term) => "taps" in term)) {
    throw degenerate(
      "no loss with a weight looks at the logits, so the last layer would stay as it began",
      "Give distill.ce or another loss on logits a weight.",
    );
  }
  if (objective.some(({ name }) => name === "dkd") && (isMixing(augment) || !allLabelled)) {
    throw degenerate(
      `dkd splits off the target class: ${!allLabelled ? "images without a label have none" : "mixed images have two"}`,
      "Use kd or dist here.",
    );
  }
  if (classes > 2) return;
  for (const term of objective) {
    const reason =
      term.name === "dkd"
        ? "dkd splits off the classes beside the target, and of two classes that leaves one"
        : term.name === "dist"
          ? "dist correlates over the classes, and two probabilities always correlate fully"
          : "standardize" in term && term.standardize
            ? `${term.name} with standardize makes of any two logits +-0.7071`
            : undefined;
    if (reason) throw degenerate(`${reason}: nothing to learn with ${classes} classes`, "Use mse, or kd as it is.");
  }
}

function degenerate(message: string, hint: string): DistillateError {
  return new DistillateError({ code: "loss-degenerate", message, hint });
}
