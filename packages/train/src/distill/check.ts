/** What can be known of a distillation before anything is trained. */
import { DistillateError } from "@distillate/bundle";
import { isBrought, type RunConfig } from "../config.ts";
import { buildModel } from "../models/index.ts";
import { checkObjective, objectiveOf } from "./objective.ts";
import { tapStudent, tapsOf } from "./taps.ts";

/**
 * Refuses a distillation that cannot work, before the teacher costs its time.
 *
 * @throws DistillateError `loss-degenerate`, `taps-unavailable`, `tap-unknown`, or `tap-mismatch` with both shapes.
 */
export function checkDistillation(
  config: Pick<RunConfig, "teacher" | "student" | "distill" | "data">,
  data: { readonly shape: readonly [number, number, number]; readonly classes: number },
): void {
  const { teacher, student, distill } = config;
  const objective = objectiveOf(student.training, distill);
  checkObjective(objective, data.classes, student.training, config.data.labelled);
  if (tapsOf(objective).length === 0) return;
  if (isBrought(teacher)) {
    throw new DistillateError({
      code: "taps-unavailable",
      message: `losses on layers need a teacher that is trained here; ${teacher.from} is asked for its logits alone`,
      hint: "Use losses on logits: kd, mse, dkd, dist or hard.",
    });
  }
  const [ours, theirs] = [student.model, teacher.model].map((model) => buildModel(model, { ...data, seed: 0 }));
  try {
    // The tapped model shares the student's layers; what hints add to them goes with it.
    tapStudent(ours!, theirs!, objective, 0).model.dispose();
  } finally {
    theirs!.dispose();
  }
}
