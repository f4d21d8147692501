/** What can be known of a distillation before anything is trained. */
import { DistillateError } from "@distillate/bundle";
import type { RunConfig } from "../config.ts";
import { isAugmenting } from "../data/augment.ts";
import { freezeLayers } from "../models/freeze.ts";
import { buildModel } from "../models/index.ts";
import { checkObjective, objectiveOf } from "./objective.ts";
import { finalOf, lastGuided, type NetworkPlan, planNetworks, type TrainPlan } from "./plan.ts";
import { tapStudent, tapsOf } from "./taps.ts";
import { hasTemperature } from "./temperature.ts";

type Checked = Pick<RunConfig, "teacher" | "student" | "distill" | "stages" | "seeds" | "data">;

interface DataShape {
  readonly shape: readonly [number, number, number];
  readonly classes: number;
}

/**
 * Refuses a distillation that cannot work, before the teacher costs its time.
 *
 * @throws DistillateError `loss-degenerate`, `taps-unavailable`, `tap-unknown`, `tap-mismatch` with both shapes,
 * `table-view`, `layer-unknown` or `nothing-to-train`.
 */
export function checkDistillation(config: Checked, data: DataShape): void {
  const plans = planNetworks(config);
  const byId = new Map(plans.map((plan) => [plan.id, plan]));
  for (const plan of plans) {
    // What holds for the first seed holds for all.
    if (plan.kind !== "train" || plan.seed !== config.seeds[0]) continue;
    checkFreezing(plan, data);
    const speakers = plan.speakers.map(({ id }) => byId.get(id)!);
    if (speakers.length > 0) checkLearning(plan, speakers, config.data, data);
  }
  checkTemperature(config, plans);
}

/** A temperature for losses that have none would be taken and do nothing. */
function checkTemperature({ student: { quantizeAware } }: Checked, plans: readonly NetworkPlan[]): void {
  if (quantizeAware?.temperature === undefined) return;
  const { distill } = lastGuided(finalOf(plans, "student")[0]!.id, plans);
  if (distill !== undefined && hasTemperature(distill)) return;
  throw new DistillateError({
    code: "loss-degenerate",
    message: `student.quantizeAware.temperature is ${quantizeAware.temperature}, and no loss that the student learns by has a temperature`,
    hint: "Leave it out, or let the student learn by kd, dkd or dist.",
  });
}

function checkLearning(
  { network, distill, title }: TrainPlan,
  speakers: readonly NetworkPlan[],
  { labelled, unlabelled }: RunConfig["data"],
  data: DataShape,
): void {
  const objective = objectiveOf(network.training, distill);
  checkObjective(objective, data.classes, network.training, labelled === 1 && unlabelled === undefined);
  const table = speakers.find(({ kind }) => kind === "table");
  if (table?.kind === "table" && isAugmenting(network.training.augment)) {
    throw new DistillateError({
      code: "table-view",
      message: `${table.teacher.logits.train} knows the images as they are, and the training of ${title} changes them`,
      hint: "Leave out training.augment of whoever learns from a table, or bring the teacher itself with teacher.from.",
    });
  }
  if (tapsOf(objective).length === 0) return;
  const [speaker, ...others] = speakers;
  if (speaker!.kind !== "train" || others.length > 0) {
    throw new DistillateError({
      code: "taps-unavailable",
      message: `losses on layers need one teacher that is trained here; ${title} asks ${speakers.map(nameOf).join(" and ")} for logits alone`,
      hint: "Use losses on logits: kd, mse, dkd, dist or hard.",
    });
  }
  const [ours, theirs] = [network.model, speaker!.network.model].map((model) =>
    buildModel(model, { ...data, seed: 0 }),
  );
  try {
    // The tapped model shares the student's layers; what hints add to them goes with it.
    tapStudent(ours!, theirs!, objective, 0).model.dispose();
  } finally {
    theirs!.dispose();
  }
}

function nameOf(plan: NetworkPlan): string {
  if (plan.kind === "bring") return plan.teacher.from;
  return plan.kind === "table" ? plan.teacher.logits.train : plan.title;
}

function checkFreezing({ network, freeze }: TrainPlan, data: DataShape): void {
  if (freeze.length === 0) return;
  const model = buildModel(network.model, { ...data, seed: 0 });
  try {
    freezeLayers(model, freeze);
  } finally {
    model.dispose();
  }
}
