import type { TrainingConfig } from "./config.ts";

/**
 * The learning rate at a step, counted from 0.
 *
 * It rises linearly over the warm-up, so that step 0 is already above zero, then follows half a cosine to zero
 * (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5, without restarts) or stays.
 */
export function learningRateAt(
  step: number,
  steps: number,
  config: Pick<TrainingConfig, "optimizer" | "schedule">,
): number {
  const { learningRate: peak } = config.optimizer;
  const { name, warmup } = config.schedule;
  const rising = Math.round(warmup * steps);
  if (step < rising) return (peak * (step + 1)) / (rising + 1);
  if (name === "constant") return peak;
  const progress = (step - rising) / Math.max(1, steps - rising);
  return (peak * (1 + Math.cos(Math.PI * progress))) / 2;
}
