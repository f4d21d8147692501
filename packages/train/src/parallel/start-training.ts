import { isDistillateError } from "@distillate/bundle";
import { type CompiledTraining, compileTraining } from "../compiled-training.ts";
import { withoutGraphs } from "../engine/capture/half-precision.ts";
import { computesOnOneCore } from "../engine/one-core.ts";
import { needsWholeBatch } from "./across-batch.ts";
import { type DividedParts, divideTraining } from "./divided-training.ts";
import { uncopiable } from "./network-copy.ts";
import { workersFor } from "./shares.ts";

/** How many take each batch of a training. */
export interface Workers {
  readonly count: number;
  /** As many were asked for. */
  readonly wanted: number;
  /** Why there are fewer. */
  readonly reason?: string;
}

const CANNOT_START: readonly string[] = ["worker-died", "shared-memory-missing"];

/** Makes the steps of a training: divided among workers where more than one is wanted and that can be. */
export async function startTraining(
  parts: DividedParts,
  wanted: number,
): Promise<{ readonly steps: CompiledTraining; readonly workers: Workers }> {
  const alone = (reason?: string) => ({
    steps: compileTraining(parts),
    workers: { count: 1, wanted, ...(reason !== undefined && { reason }) },
  });
  if (wanted <= 1) return alone();
  const reason = undividable(parts);
  if (reason !== undefined) return alone(reason);
  const most = workersFor(parts.batchSize);
  const count = Math.min(wanted, most);
  const workers = { count, wanted, ...(count < wanted && { reason: `a batch of ${parts.batchSize} feeds no more` }) };
  if (count === 1) return alone(workers.reason);
  const fallback = withoutGraphs(parts.training.precision);
  try {
    const steps = await divideTraining(parts, count);
    if (fallback) parts.onFallback?.(fallback);
    return { steps, workers };
  } catch (error) {
    if (isDistillateError(error) && CANNOT_START.includes(error.code))
      return alone(`they do not start: ${error.message}`);
    throw error;
  }
}

function undividable({ network, objective, teacher }: DividedParts): string | undefined {
  if (!computesOnOneCore()) return "the engine uses all cores itself";
  const whole = needsWholeBatch(objective);
  if (whole !== undefined) return whole;
  const models = [network.model, ...(typeof teacher === "object" ? [teacher.model] : [])];
  const layer = models.map(uncopiable).find((name) => name !== undefined);
  return layer === undefined ? undefined : `layers of the kind ${layer} cannot be made again in another thread`;
}
