import type { TrainingConfig } from "./config.ts";

/**
 * The learning rate at a step, counted from 0.
 *
 * It rises linearly over the warm-up, so that step 0 is already above zero, then follows half a cosine to zero (Loshchilov and
 * Hutter 2017, arXiv 1608.03983, eq. 5, without restarts), falls by a factor at given parts of the training, or stays.
 * `one-cycle` rises and falls by half cosines from a 25th of the peak to a 250,000th (Smith and Topin 2017, arXiv 1708.07120,
 * in the form and with the numbers of fastai).
 */
export function learningRateAt(
  step: number,
  steps: number,
  config: Pick<TrainingConfig, "optimizer" | "schedule">,
): number {
  const { learningRate: peak } = config.optimizer;
  const { schedule } = config;
  const rising = Math.round(schedule.warmup * steps);
  const falling = (step - rising) / Math.max(1, steps - rising);
  if (schedule.name === "one-cycle") {
    return step < rising
      ? peak * alongCosine(CYCLE.start, 1, step / rising)
      : peak * alongCosine(1, CYCLE.start * CYCLE.end, falling);
  }
  if (step < rising) return (peak * (step + 1)) / (rising + 1);
  if (schedule.name === "constant") return peak;
  if (schedule.name === "cosine") return peak * alongCosine(1, 0, falling);
  return peak * schedule.factor ** schedule.at.filter((part) => step >= part * steps).length;
}

/** Where one cycle starts, as a share of its peak, and ends, as a share of its start. */
const CYCLE = { start: 1 / 25, end: 1e-4 } as const;

/** From one value to another along half a cosine. */
function alongCosine(from: number, to: number, progress: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2;
}
