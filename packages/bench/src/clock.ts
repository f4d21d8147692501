/** Time as the measuring code sees it. It is always handed in, so that tests run on a clock of their own. */

/** A clock and a way to wait on it. */
export interface Clock {
  /** Milliseconds since any fixed moment. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** The clock of the machine, or of the page. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

const STEPS = 50;
const READINGS = 5_000_000;
/** A call must take so many times the clock's resolution to be timed on its own: an error of one percent. */
const RESOLUTIONS = 100;

/**
 * The smallest step of a clock, milliseconds: browsers round theirs to 5 µs in isolated pages, and to 100 µs or 1 ms in others.
 *
 * @returns 0 for a clock that never moves by itself.
 */
export function measureResolution({ now }: Pick<Clock, "now">): number {
  let smallest = Number.POSITIVE_INFINITY;
  let steps = 0;
  let last = now();
  for (let reading = 0; reading < READINGS && steps < STEPS; reading++) {
    const next = now();
    if (next > last) {
      smallest = Math.min(smallest, next - last);
      steps++;
    }
    last = next;
  }
  return steps === 0 ? 0 : smallest;
}

/** How many calls of so many milliseconds make one sample that this resolution can tell from another. */
export function callsPerSample(callMilliseconds: number, resolution: number): number {
  const needed = RESOLUTIONS * resolution;
  if (callMilliseconds >= needed) return 1;
  // A call too short to be seen at all counts as a hundredth of a step.
  return Math.ceil(needed / Math.max(callMilliseconds, resolution / RESOLUTIONS));
}
