/**
 * Whose turn it is in a divided training, as numbers that all of its threads see: the turn that each worker was last told to take,
 * and the last one that it has taken. The first is to start.
 *
 * Most of a step's waits are no longer than it takes to wake a thread, and a virtual machine's core that sleeps may wake beside a
 * busy one, as the other half of the same. So whoever waits looks for a while before it sleeps.
 */
import { availableParallelism } from "node:os";

/** Integers of a cache line: what different threads write is not to share one. */
const LINE = 16;
/** How long to look: longer than most waits of a step, and nothing to a core that has no more to do. */
const LOOK_MILLISECONDS = 20;
/** Looks between two glances at the clock. */
const LOOKS = 64;

/** Turns as they lie in memory; to be handed to other threads as they are. */
export interface Turns {
  readonly memory: SharedArrayBuffer;
  /** Milliseconds that whoever waits looks before it sleeps. */
  readonly patience: number;
}

/**
 * Memory for the turns of so many workers; none of them has been told anything.
 *
 * @param patience - See {@link Turns}. With fewer cores than workers none by default: who looks may hold the core of the one it looks for.
 */
export function makeTurns(workers: number, patience = workers > availableParallelism() ? 0 : LOOK_MILLISECONDS): Turns {
  return { memory: new SharedArrayBuffer((1 + 2 * workers) * LINE * 4), patience };
}

/** The turns as the thread sees them that leads the others. */
export interface LeaderTurns {
  /** Has a worker take a turn; what it needs for that must be there. */
  tell(worker: number, turn: number): void;
  hasTaken(worker: number, turn: number): boolean;
  /** Looks until a worker has taken a turn, and says whether that happened in time. */
  look(worker: number, turn: number): boolean;
  /** From now on until `awake` the workers are asked to send a message when they have taken a turn. */
  sleep(): void;
  awake(): void;
}

/** The turns of the others. */
export function leaderTurns(turns: Turns): LeaderTurns {
  const { asleep, told, taken, values, patience } = open(turns);
  const hasTaken = (worker: number, turn: number): boolean => Atomics.load(values, taken(worker)) >= turn;
  return {
    tell(worker, turn) {
      Atomics.store(values, told(worker), turn);
      Atomics.notify(values, told(worker));
    },
    hasTaken,
    look: (worker, turn) => lookFor(values, taken(worker), turn, patience),
    sleep: () => void Atomics.store(values, asleep, 1),
    awake: () => void Atomics.store(values, asleep, 0),
  };
}

/** The turns as one worker sees them. */
export interface WorkerTurns {
  /** Blocks the thread until it is told to take a turn, or a later one. */
  waitFor(turn: number): void;
  /** Says that a turn was taken; returns whether the leader sleeps and needs a message. */
  finish(turn: number): boolean;
}

/** The turns of one worker. */
export function workerTurns(turns: Turns, worker: number): WorkerTurns {
  const { asleep, told, taken, values, patience } = open(turns);
  return {
    waitFor(turn) {
      if (lookFor(values, told(worker), turn, patience)) return;
      for (let last = 0; last < turn; last = Atomics.load(values, told(worker)))
        Atomics.wait(values, told(worker), last);
    },
    finish(turn) {
      // Before the flag is read: a leader that sets it looks once more after that.
      Atomics.store(values, taken(worker), turn);
      return Atomics.load(values, asleep) === 1;
    },
  };
}

function open({ memory, patience }: Turns) {
  return {
    ...{ values: new Int32Array(memory), patience },
    asleep: 0,
    told: (worker: number): number => (1 + 2 * worker) * LINE,
    taken: (worker: number): number => (2 + 2 * worker) * LINE,
  };
}

/** Looks at a place until it has reached a value. Makes no garbage: thousands of looks are one wait. */
function lookFor(values: Int32Array, place: number, value: number, patience: number): boolean {
  const end = performance.now() + patience;
  do {
    for (let look = 0; look < LOOKS; look++) if (Atomics.load(values, place) >= value) return true;
  } while (performance.now() < end);
  return false;
}
