/**
 * Where the threads of a divided training wait for each other: barriers, counted from 1 in one order for all, and the last one that
 * each has come to. The first is to have started. At those where the leader has a task nobody waits for the others, who pass by.
 *
 * Most of a step's waits are no longer than it takes to wake a thread, and a virtual machine's core that sleeps may wake beside a
 * busy one, as the other half of the same. So whoever waits looks for a while before it sleeps.
 */
import { availableParallelism } from "node:os";
import { LINE } from "./cache-line.ts";

/** The thread that leads the others. It has messages to hear, so it may not be blocked. */
export const LEADER = 0;

/** How long to look: longer than most waits of a step, and nothing to a core that has no more to do. */
const LOOK_MILLISECONDS = 20;
/** Looks between two glances at the clock, each of which leaves garbage: a few microseconds. */
const LOOKS = 500;

/** Barriers as they lie in memory; to be handed to other threads as they are. */
export interface BarrierMemory {
  readonly memory: SharedArrayBuffer;
  /** Milliseconds that whoever waits looks before it sleeps. */
  readonly patience: number;
}

/**
 * Memory for the barriers of so many threads; none of them has come to any.
 *
 * @param patience - See {@link BarrierMemory}. With fewer cores than threads none by default: who looks may hold the core of the one it looks for.
 */
export function makeBarriers(
  threads: number,
  patience = threads > availableParallelism() ? 0 : LOOK_MILLISECONDS,
): BarrierMemory {
  return { memory: new SharedArrayBuffer((1 + threads) * LINE * 4), patience };
}

/** The barriers as one thread sees them. */
export interface Barriers {
  /** Says that this thread has come to a barrier; returns whether the leader sleeps and needs a message. */
  arrive(barrier: number): boolean;
  /** Whether a thread has come to a barrier, or to a later one. */
  hasArrived(thread: number, barrier: number): boolean;
  /** Looks until it has, and says whether that happened in time. */
  look(thread: number, barrier: number): boolean;
  /** Blocks this thread until it has. */
  waitFor(thread: number, barrier: number): void;
  /** From now on until `awake` the others are asked to send a message when they have come to a barrier. */
  sleep(): void;
  awake(): void;
}

/** The barriers of one thread. */
export function openBarriers({ memory, patience }: BarrierMemory, self: number): Barriers {
  const values = new Int32Array(memory);
  const asleep = 0;
  const placeOf = (thread: number): number => (1 + thread) * LINE;
  const look = (thread: number, barrier: number): boolean => lookFor(values, placeOf(thread), barrier, patience);
  return {
    arrive(barrier) {
      // Before the flag is read: a leader that sets it looks once more after that.
      Atomics.store(values, placeOf(self), barrier);
      Atomics.notify(values, placeOf(self));
      return self !== LEADER && Atomics.load(values, asleep) === 1;
    },
    hasArrived: (thread, barrier) => Atomics.load(values, placeOf(thread)) >= barrier,
    look,
    waitFor(thread, barrier) {
      if (look(thread, barrier)) return;
      const place = placeOf(thread);
      for (let last = 0; last < barrier; last = Atomics.load(values, place)) Atomics.wait(values, place, last);
    },
    sleep: () => void Atomics.store(values, asleep, 1),
    awake: () => void Atomics.store(values, asleep, 0),
  };
}

/** Looks at a place until it has reached a value. */
function lookFor(values: Int32Array, place: number, value: number, patience: number): boolean {
  const end = performance.now() + patience;
  do {
    for (let look = 0; look < LOOKS; look++) if (Atomics.load(values, place) >= value) return true;
  } while (performance.now() < end);
  return false;
}
