/**
 * The memory by which the thread that runs kernels and its helpers agree on a job: which task, told what, and who does which part.
 *
 * Each thread begins with a range of parts of its own, so that what it wrote in one kernel it finds near in the next, and takes from
 * the end of another's range when its own is done: nobody waits for one that is slow. A helper enters a job before it takes a part
 * and leaves it after its last; a job is over when it is closed and nobody is in it. Who comes too late is not waited for.
 */

/** The thread that runs kernels; helpers are numbered from 1. */
export const MAIN = 0;
/** Helpers there can be. */
export const MOST_HELPERS = 255;
/** Numbers that a task can be told. */
export const MOST_TOLD = 64;
/** Parts of a job: both ends of a range are in one Int32. */
export const MOST_PARTS = 2 ** 15 - 1;

/** Int32 of two cache lines, which processors fetch together: what different threads write is not to share them. */
const LINE = 32;
/** The job's number, which is odd while it is open and one more when it is closed. */
const JOB = 0;
/** Helpers that sleep. */
const ASLEEP = LINE;
/** What the job is: the task's number, how many numbers it is told, how many threads have ranges, and those numbers. */
const [TASK, TOLD, THREADS] = [2 * LINE, 2 * LINE + 1, 2 * LINE + 2];
const NUMBERS = 3 * LINE;
const RANGES = NUMBERS + MOST_TOLD;
/** Where each helper is: the number of a job, or one of the two below, which are even. */
const PLACES = RANGES + (1 + MOST_HELPERS) * LINE;
/** Helpers that are to go are told so here. */
const DISMISSED = PLACES + (1 + MOST_HELPERS) * LINE;
const END = DISMISSED + 1 + MOST_HELPERS;
const OUTSIDE = 0;
const FAILED = 2;

/** Looks between two glances at the clock, each of which leaves garbage: a few microseconds. */
const LOOKS = 500;
/** Milliseconds of a sleep after which the one who runs kernels looks whether it has waited too long. */
const NAP = 100;
/** Milliseconds; who is dismissed between its look and its sleep is not woken. */
const LONGEST_SLEEP = 1000;

/** Milliseconds. */
export interface Patience {
  /** How long to look for what another thread does before sleeping. */
  readonly look: number;
  /** How long a helper may have for a part; one that is dead never comes out. */
  readonly part: number;
}

/** Memory for a control, to be handed to helpers as it is. */
export function makeControlMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(END * 4);
}

/** Helpers that take no more parts. */
export interface Losses {
  /** A part of theirs threw; they are out. */
  readonly failed: readonly number[];
  /** They did not come out in time: where they are nobody knows. */
  readonly missing: readonly number[];
}

/** How the thread that runs kernels sees a control. */
export interface MainControl {
  /** Opens a job, of at most {@link MOST_PARTS} parts, to this thread and some helpers. */
  open(task: number, told: readonly number[], parts: number, helpers: readonly number[]): void;
  /** The next part to do, or -1 where none is left. */
  next(): number;
  /** Closes the job and waits until those helpers are out of it. */
  close(helpers: readonly number[]): Losses;
  /** Makes a helper's place as if nobody had been there. */
  admit(helper: number): void;
  /** Lets a helper go: it takes no more parts. */
  dismiss(helper: number): void;
}

/** Opens a control for the thread that runs kernels. */
export function openMainControl(memory: SharedArrayBuffer, { look, part }: Patience): MainControl {
  const values = new Int32Array(memory);
  let job = 0;
  let threads = 1;

  const isOut = (place: number): boolean => Atomics.load(values, place) !== job;

  return {
    open(task, told, parts, helpers) {
      values[TASK] = task;
      values[TOLD] = told.length;
      for (const [i, number] of told.entries()) values[NUMBERS + i] = number;
      threads = 1 + Math.max(...helpers);
      values[THREADS] = threads;
      const takers = [MAIN, ...helpers];
      for (let thread = 0; thread < threads; thread++) Atomics.store(values, RANGES + thread * LINE, 0);
      for (const [i, thread] of takers.entries()) {
        const [first, end] = [i, i + 1].map((n) => Math.floor((parts * n) / takers.length)) as [number, number];
        Atomics.store(values, RANGES + thread * LINE, rangeOf(first, end));
      }
      job = (job + 1) | 0;
      Atomics.store(values, JOB, job);
      // Whoever falls asleep has said so before it looks once more.
      if (Atomics.load(values, ASLEEP) > 0) Atomics.notify(values, JOB);
    },
    next: () => nextPart(values, MAIN, threads),
    close(helpers) {
      Atomics.store(values, JOB, (job + 1) | 0);
      const missing: number[] = [];
      let naps = 0;
      for (const helper of helpers) {
        const place = PLACES + helper * LINE;
        let isGone = isOut(place) || looked(look, () => isOut(place));
        // By naps, not by the clock, which goes on while a computer sleeps.
        for (; !isGone && naps * NAP < part; naps++) {
          Atomics.wait(values, place, job, NAP);
          isGone = isOut(place);
        }
        // Not to be looked at again: who comes too late is there for a moment, and takes nothing.
        if (!isGone) missing.push(helper);
      }
      const failed = helpers.filter((helper) => Atomics.load(values, PLACES + helper * LINE) === FAILED);
      job = (job + 1) | 0;
      return { failed, missing };
    },
    admit(helper) {
      Atomics.store(values, PLACES + helper * LINE, OUTSIDE);
    },
    dismiss(helper) {
      Atomics.store(values, DISMISSED + helper, 1);
      Atomics.notify(values, JOB);
    },
  };
}

/** How a helper sees a control. */
export interface HelperControl {
  /** Blocks until there is a job that it was not in, and enters it; `undefined` when it is to go. */
  enter(): { readonly task: number; readonly told: readonly number[] } | undefined;
  /** The next part to do, or -1 where none is left. */
  next(): number;
  leave(): void;
  /** Leaves for good. */
  fail(): void;
}

/** Opens a control for a helper. */
export function openHelperControl(memory: SharedArrayBuffer, { look }: Patience, self: number): HelperControl {
  const values = new Int32Array(memory);
  const place = PLACES + self * LINE;
  let last = 0;

  const isDismissed = (): boolean => Atomics.load(values, DISMISSED + self) === 1;
  const isNew = (job: number): boolean => (job & 1) === 1 && job !== last;
  const isCalled = (): boolean => isNew(Atomics.load(values, JOB)) || isDismissed();
  const sleep = (): void => {
    Atomics.add(values, ASLEEP, 1);
    const job = Atomics.load(values, JOB);
    if (!isNew(job) && !isDismissed()) Atomics.wait(values, JOB, job, LONGEST_SLEEP);
    Atomics.sub(values, ASLEEP, 1);
  };
  const goTo = (where: number): void => {
    Atomics.store(values, place, where);
    Atomics.notify(values, place);
  };

  return {
    enter() {
      for (;;) {
        while (!looked(look, isCalled)) sleep();
        const job = Atomics.load(values, JOB);
        if (isDismissed()) return undefined;
        if (!isNew(job)) continue;
        // Said before it is looked at once more: either the job is still open, or whoever closes it sees who is in it.
        Atomics.store(values, place, job);
        if (Atomics.load(values, JOB) === job && !isDismissed()) {
          last = job;
          return { task: values[TASK]!, told: [...values.subarray(NUMBERS, NUMBERS + values[TOLD]!)] };
        }
        goTo(OUTSIDE);
      }
    },
    next: () => nextPart(values, self, values[THREADS]!),
    leave: () => goTo(OUTSIDE),
    fail: () => goTo(FAILED),
  };
}

/** The first part that is left of a thread's own range, or the last of another's. */
function nextPart(values: Int32Array, self: number, threads: number): number {
  for (let i = 0; i < threads; i++) {
    const place = RANGES + ((self + i) % threads) * LINE;
    for (;;) {
      const range = Atomics.load(values, place);
      const [first, end] = [range >>> 16, range & 0xffff];
      if (first >= end) break;
      const rest = i === 0 ? rangeOf(first + 1, end) : rangeOf(first, end - 1);
      if (Atomics.compareExchange(values, place, range, rest) === range) return i === 0 ? first : end - 1;
    }
  }
  return -1;
}

function rangeOf(first: number, end: number): number {
  return (first << 16) | end;
}

/** Looks for so many milliseconds, and says whether what it looked for came. */
function looked(milliseconds: number, came: () => boolean): boolean {
  const end = performance.now() + milliseconds;
  do {
    for (let look = 0; look < LOOKS; look++) if (came()) return true;
  } while (performance.now() < end);
  return false;
}
