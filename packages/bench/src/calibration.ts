/**
 * A fixed piece of arithmetic timed around every block. It does the same each time, so when its time moves it is the machine
 * that moved: another process, a hot chip, a page in the background. Blocks from such moments are set aside and counted.
 */
import { quantileSorted } from "simple-statistics";
import type { Clock } from "./clock.ts";

/** Share by which the kernel's time may differ from its median. */
export const CALIBRATION_TOLERANCE = 0.05;

const LEAST_MILLISECONDS = 1;
/** Steps of the clock that a kernel's time must have, so that rounding alone moves it by no more than a percent. */
const LEAST_STEPS = 100;
const TRIES = 3;
const MOST_UNITS = 2 ** 10;

/** Times the kernel, milliseconds. */
export type Calibrate = () => number;

/** Makes the kernel as long as this clock needs it. */
export function createCalibration(
  clock: Pick<Clock, "now">,
  resolution: number,
  work: (units: number) => void = arithmetic,
): Calibrate {
  const time = (units: number): number => {
    let best = Number.POSITIVE_INFINITY;
    // The best of three: what interrupts one of them says nothing about the machine's pace.
    for (let i = 0; i < TRIES; i++) {
      const from = clock.now();
      work(units);
      best = Math.min(best, clock.now() - from);
    }
    return best;
  };
  const needed = Math.max(LEAST_MILLISECONDS, LEAST_STEPS * resolution);
  let units = 1;
  // A clock that stands still would double forever.
  while (time(units) < needed && units < MOST_UNITS) units *= 2;
  return () => time(units);
}

/** Which moments were like the others: for each block, whether both its calibrations are within the tolerance of the median. */
export function steadyBlocks(calibrations: readonly (readonly [before: number, after: number])[]): readonly boolean[] {
  const sorted = calibrations.flat().sort((a, b) => a - b);
  if (sorted.length === 0) return [];
  const median = quantileSorted(sorted, 0.5);
  return calibrations.map((pair) => pair.every((time) => Math.abs(time - median) <= CALIBRATION_TOLERANCE * median));
}

const operands = Float64Array.from({ length: 1024 }, (_, i) => 1 + i / 1024);

/** Multiplications and additions on 8 KB that stay in the first cache. The result is kept where no optimiser can drop it. */
function arithmetic(units: number): void {
  let sum = operands[0]!;
  for (let unit = 0; unit < units * 64; unit++) {
    for (let i = 0; i < operands.length; i++) sum = sum * 0.5 + operands[i]!;
  }
  operands[0] = 1 + (sum % 1) * 1e-9;
}
