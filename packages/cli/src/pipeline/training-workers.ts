/** How many threads of the wasm engine share the work of a network's training. */
import { availableParallelism } from "node:os";
import type { NetworkPlan, TrainPlan } from "@distillate/train";
import type { PipelineContext } from "./context.ts";

/** Images that a training must see, all epochs together, before a further thread is worth its start of about a tenth of a second. */
const WORTH_IT = 10_000;

/**
 * As many as were asked for; otherwise the cores divided among the networks that train at once, one where a training is short. Nothing
 * of a result depends on the number.
 *
 * @param plans - All of the run. A network that isn't among them is one of many that are tried out: it gets one.
 */
export function trainingWorkers(
  {
    engine,
    data,
    workers,
  }: Pick<PipelineContext, "engine" | "workers"> & {
    readonly data: { readonly train: { readonly count: number } };
  },
  plan: TrainPlan,
  plans: readonly NetworkPlan[],
  cores: number = availableParallelism(),
): number {
  if (workers !== undefined) return workers;
  const isShort = data.train.count * plan.network.training.epochs < WORTH_IT;
  if (engine.name !== "wasm" || isShort || !plans.includes(plan)) return 1;
  const place = generation(plan, plans);
  const beside = plans.filter((other) => other.kind === "train" && generation(other, plans) === place);
  return Math.max(1, Math.floor(cores / beside.length));
}

/** The ids of those that must be there before a network is made. */
export function needsOf(plan: NetworkPlan): readonly string[] {
  if (plan.kind === "mean") return plan.of.map(({ id }) => id);
  if (plan.kind !== "train") return [];
  return [...plan.speakers.map(({ id }) => id), ...(plan.from === undefined ? [] : [plan.from])];
}

/** How many networks are made one after the other before a network's turn comes. */
function generation(plan: NetworkPlan, plans: readonly NetworkPlan[]): number {
  const before = plans.filter(({ id }) => needsOf(plan).includes(id));
  return before.length === 0 ? 0 : 1 + Math.max(...before.map((other) => generation(other, plans)));
}
