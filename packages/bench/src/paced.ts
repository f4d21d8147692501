/**
 * A camera at so many frames a second. A frame is due at its own moment, whatever became of the one before; its time runs from
 * there, so that a slow call shows in the frames behind it. A frame that isn't done when the next is due has missed its deadline.
 */
import type { Clock } from "./clock.ts";

/** What a paced run gave. */
export interface Paced {
  readonly framesPerSecond: number;
  /** Milliseconds from the moment a frame was due to its result; skipped frames have none. */
  readonly samples: readonly number[];
  /** Frames whose result came after the next frame was due, skipped ones included. */
  readonly missed: number;
  /** Frames never begun, because a newer one was due already. */
  readonly skipped: number;
}

/** Runs so many frames at a pace. */
export async function runPaced(
  call: () => Promise<unknown>,
  {
    framesPerSecond,
    frames,
    clock,
  }: { readonly framesPerSecond: number; readonly frames: number; readonly clock: Clock },
): Promise<Paced> {
  const interval = 1000 / framesPerSecond;
  const begin = clock.now();
  const samples: number[] = [];
  let [missed, skipped] = [0, 0];
  for (let frame = 0; frame < frames; frame++) {
    const due = begin + frame * interval;
    if (clock.now() >= due + interval) {
      missed++;
      skipped++;
      continue;
    }
    await until(due, clock);
    await call();
    const taken = clock.now() - due;
    samples.push(taken);
    if (taken > interval) missed++;
  }
  return { framesPerSecond, samples, missed, skipped };
}

/** Timers wake late by a millisecond or two: the last of the way is waited out by looking at the clock. */
async function until(due: number, { now, sleep }: Clock): Promise<void> {
  const left = due - now();
  if (left > 3) await sleep(left - 3);
  while (now() < due) await sleep(0);
}
