/** The threads that take shares beside the main one: started, told of steps, waited for, and missed at once when one dies. */
import { DistillateError } from "@distillate/bundle";
import type { LossTerm } from "../losses/index.ts";
import { moduleBeside, startThread } from "../thread.ts";
import type { BoardSizes } from "./board.ts";
import type { LearnerParts, ShareTask } from "./learn-share.ts";
import type { NetworkMessage } from "./network-copy.ts";
import { type LeaderTurns, leaderTurns, makeTurns, type Turns } from "./turns.ts";

/** What a thread begins with. */
export interface WorkerSetup extends Pick<LearnerParts, "recipe" | "workers" | "worker" | "capture"> {
  readonly memory: SharedArrayBuffer;
  readonly sizes: BoardSizes;
  readonly turns: Turns;
  readonly network: NetworkMessage;
  readonly teacher?: NetworkMessage;
  readonly objective: readonly LossTerm[];
}

/** What a thread says: that it has taken a turn, if it was asked to say so, or that it cannot go on. */
export type WorkerAnswer =
  | { readonly kind: "taken"; readonly turn: number }
  | { readonly kind: "failed"; readonly message: string };

/** Threads at work. */
export interface Team {
  /** Has all of them do their share. */
  tell(task: ShareTask): void;
  /** Waits for what they were told to do. @throws DistillateError `worker-died` as soon as one is gone. */
  finish(): Promise<void>;
  dispose(): void;
}

/**
 * Starts workers 1 and up; the thread that calls is worker 0.
 *
 * @throws DistillateError `worker-died` with the reason why one cannot start.
 */
export async function startTeam(setup: Omit<WorkerSetup, "worker" | "turns">): Promise<Team> {
  const shared = makeTurns(setup.workers);
  const turns = leaderTurns(shared);
  const members = Array.from({ length: setup.workers - 1 }, (_, i) => i + 1);
  const threads = members.map((worker) => startMember({ ...setup, turns: shared, worker }, turns));
  const dispose = (): void => {
    for (const thread of threads) thread.end();
  };
  // The first turn is to start.
  let turn = 1;
  const sleepUntilTaken = async (): Promise<void> => {
    turns.sleep();
    try {
      await Promise.all(threads.map((thread) => thread.taken(turn)));
    } finally {
      turns.awake();
    }
  };
  try {
    await sleepUntilTaken();
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    tell(task) {
      turn++;
      for (const thread of threads) thread.tell(task, turn);
    },
    async finish() {
      if (!members.every((worker) => turns.look(worker, turn))) await sleepUntilTaken();
    },
    dispose,
  };
}

interface Thread {
  tell(task: ShareTask, turn: number): void;
  /** Settles when the thread has taken a turn, or is gone. */
  taken(turn: number): Promise<void>;
  end(): void;
}

function startMember(setup: WorkerSetup, turns: LeaderTurns): Thread {
  const { worker } = setup;
  const thread = startThread(moduleBeside(import.meta.url, "worker"), setup);
  let ended: DistillateError | undefined;
  let waiting: { readonly turn: number; resolve(): void; reject(error: DistillateError): void } | undefined;
  const end = (why: string): void => {
    ended ??= workerDied(worker, why);
    waiting?.reject(ended);
  };
  thread.on("message", (answer: WorkerAnswer) => {
    if (answer.kind === "failed") end(answer.message);
    // It may come late, of a turn that was seen to be taken before.
    else if (answer.turn === waiting?.turn) waiting.resolve();
  });
  thread.on("error", (error) => end(error.message));
  thread.on("exit", (code) => end(`it ended with exit status ${code}`));
  return {
    tell(task, turn) {
      // Before the turn: the thread takes it from where it waits, without its event loop.
      thread.postMessage(task);
      turns.tell(worker, turn);
    },
    taken: (turn) =>
      new Promise((resolve, reject) => {
        waiting = { turn, resolve, reject };
        if (turns.hasTaken(worker, turn)) resolve();
        else if (ended) reject(ended);
      }),
    end: () => void thread.terminate(),
  };
}

function workerDied(worker: number, why: string): DistillateError {
  return new DistillateError({
    code: "worker-died",
    message: `worker ${worker + 1} of a training is gone: ${why}`,
    hint: "Run the same command again: it goes on from where it stopped. If memory ran out, lower batchSize or workers.",
  });
}
