/** The threads that take shares beside the main one: started, told of steps, waited for, and missed at once when one dies. */
import { DistillateError } from "@distillate/bundle";
import { moduleBeside, startThread } from "../thread.ts";
import { type BarrierMemory, type Barriers, LEADER, makeBarriers, openBarriers } from "./barriers.ts";
import type { StepTask } from "./divided-step.ts";
import type { LearnerParts } from "./learn-share.ts";
import type { NetworkMessage } from "./network-copy.ts";
import type { RangeUpdateParts } from "./range-update.ts";

/** What a thread begins with. */
export interface WorkerSetup
  extends Pick<LearnerParts, "recipe" | "workers" | "worker" | "capture" | "objective">,
    Omit<RangeUpdateParts, "board"> {
  readonly barriers: BarrierMemory;
  readonly network: NetworkMessage;
  readonly teacher?: NetworkMessage;
}

/** What a thread says: that it has come to a barrier, if it was asked to say so, or that it cannot go on. */
export type WorkerAnswer =
  | { readonly kind: "arrived"; readonly barrier: number }
  | { readonly kind: "failed"; readonly message: string };

/** Threads at work. */
export interface Team {
  /** Has all of them begin with a step. */
  tell(task: StepTask): void;
  /** Comes to the next barrier, and waits for all others there. @throws DistillateError `worker-died` as soon as one is gone. */
  meet(): Promise<void>;
  dispose(): void;
}

/**
 * Starts workers 1 and up; the thread that calls is worker 0.
 *
 * @throws DistillateError `worker-died` with the reason why one cannot start.
 */
export async function startTeam(setup: Omit<WorkerSetup, "worker" | "barriers">): Promise<Team> {
  const shared = makeBarriers(setup.workers);
  const barriers = openBarriers(shared, LEADER);
  const members = Array.from({ length: setup.workers - 1 }, (_, i) => i + 1);
  const threads = members.map((worker) => startMember({ ...setup, barriers: shared, worker }, barriers));
  let barrier = 0;
  const dispose = (): void => {
    for (const thread of threads) thread.end();
  };
  const sleepUntilArrived = async (): Promise<void> => {
    barriers.sleep();
    try {
      await Promise.all(threads.map((thread) => thread.arrived(barrier)));
    } finally {
      barriers.awake();
    }
  };
  // To start is long: no looking.
  barriers.arrive(++barrier);
  try {
    await sleepUntilArrived();
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    tell(task) {
      // Before the leader is seen to arrive: they take it from where they wait, without their event loops.
      for (const thread of threads) thread.post(task);
      barriers.arrive(++barrier);
    },
    async meet() {
      barriers.arrive(++barrier);
      if (!members.every((worker) => barriers.look(worker, barrier))) await sleepUntilArrived();
    },
    dispose,
  };
}

interface Thread {
  post(task: StepTask): void;
  /** Settles when the thread has come to a barrier, or is gone. */
  arrived(barrier: number): Promise<void>;
  end(): void;
}

function startMember(setup: WorkerSetup, barriers: Barriers): Thread {
  const { worker } = setup;
  const thread = startThread(moduleBeside(import.meta.url, "worker"), setup);
  let ended: DistillateError | undefined;
  let waiting: { readonly barrier: number; resolve(): void; reject(error: DistillateError): void } | undefined;
  const end = (why: string): void => {
    ended ??= workerDied(worker, why);
    waiting?.reject(ended);
  };
  thread.on("message", (answer: WorkerAnswer) => {
    if (answer.kind === "failed") end(answer.message);
    // It may come late, of a barrier where it was seen before.
    else if (answer.barrier === waiting?.barrier) waiting.resolve();
  });
  thread.on("error", (error) => end(error.message));
  thread.on("exit", (code) => end(`it ended with exit status ${code}`));
  return {
    post: (task) => thread.postMessage(task),
    arrived: (barrier) =>
      new Promise((resolve, reject) => {
        waiting = { barrier, resolve, reject };
        if (barriers.hasArrived(worker, barrier)) resolve();
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
