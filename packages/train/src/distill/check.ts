/** What can be known of a distillation before anything is trained. */
import type { RunConfig } from "../config.ts";
import { buildModel } from "../models/index.ts";
import { checkObjective, objectiveOf } from "./objective.ts";
import { tapStudent, tapsOf } from "./taps.ts";

/**
 * Refuses a distillation that cannot work, before the teacher costs its time.
 *
 * @throws DistillateError `loss-degenerate`, `tap-unknown`, or `tap-mismatch` with both shapes.
 */
export function checkDistillation(
  config: Pick<RunConfig, "teacher" | "student" | "distill" | "data">,
  data: { readonly shape: readonly [number, number, number]; readonly classes: number },
): void {
  const { teacher, student, distill } = config;
  const objective = objectiveOf(student.training, distill);
  checkObjective(objective, data.classes, student.training, config.data.labelled);
  if (tapsOf(objective).length === 0) return;
  const [ours, theirs] = [student, teacher].map(({ model }) => buildModel(model, { ...data, seed: 0 }));
  try {
    // The tapped model shares the student's layers; what hints add to them goes with it.
    tapStudent(ours!, theirs!, objective, 0).model.dispose();
  } finally {
    theirs!.dispose();
  }
}
