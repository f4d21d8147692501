/** The threads that take shares beside the main one: started, told of steps, waited for, and missed at once when one dies. */
import { DistillateError } from "@distillate/bundle";
import type { LossTerm } from "../losses/index.ts";
import { moduleBeside, startThread } from "../thread.ts";
import type { BoardSizes } from "./board.ts";
import type { LearnerParts, ShareTask } from "./learn-share.ts";
import type { NetworkMessage } from "./network-copy.ts";

/** What a thread begins with. */
export interface WorkerSetup extends Pick<LearnerParts, "recipe" | "workers" | "worker" | "capture"> {
  readonly memory: SharedArrayBuffer;
  readonly sizes: BoardSizes;
  readonly network: NetworkMessage;
  readonly teacher?: NetworkMessage;
  readonly objective: readonly LossTerm[];
}

/** What a thread answers: to its start and to each task. */
export type WorkerAnswer = { readonly kind: "done" } | { readonly kind: "failed"; readonly message: string };

/** Threads at work. */
export interface Team {
  /** Has all of them do their share. @throws DistillateError `worker-died`, at once or as soon as one is gone. */
  work(task: ShareTask): Promise<void>;
  dispose(): void;
}

/**
 * Starts workers 1 and up; the thread that calls is worker 0.
 *
 * @throws DistillateError `worker-died` with the reason why one cannot start.
 */
export async function startTeam(setup: Omit<WorkerSetup, "worker">): Promise<Team> {
  const threads = Array.from({ length: setup.workers - 1 }, (_, i) => startMember({ ...setup, worker: i + 1 }));
  const dispose = (): void => {
    for (const thread of threads) thread.end();
  };
  try {
    await Promise.all(threads.map((thread) => thread.answer()));
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    async work(task) {
      await Promise.all(
        threads.map((thread) => {
          thread.tell(task);
          return thread.answer();
        }),
      );
    },
    dispose,
  };
}

interface Thread {
  tell(task: ShareTask): void;
  /** Settles with the thread's next answer, or its end. */
  answer(): Promise<void>;
  end(): void;
}

function startMember(setup: WorkerSetup): Thread {
  const worker = startThread(moduleBeside(import.meta.url, "worker"), setup);
  let ended: DistillateError | undefined;
  let waiting: { resolve(): void; reject(error: DistillateError): void } | undefined;
  const settle = (error?: DistillateError): void => {
    if (error) waiting?.reject(error);
    else waiting?.resolve();
    waiting = undefined;
  };
  const end = (why: string): void => {
    ended ??= workerDied(setup.worker, why);
    settle(ended);
  };
  worker.on("message", (answer: WorkerAnswer) => (answer.kind === "done" ? settle() : end(answer.message)));
  worker.on("error", (error) => end(error.message));
  worker.on("exit", (code) => end(`it ended with exit status ${code}`));
  return {
    tell: (task) => worker.postMessage(task),
    answer: () =>
      new Promise((resolve, reject) => {
        if (ended) reject(ended);
        else waiting = { resolve, reject };
      }),
    end: () => void worker.terminate(),
  };
}

function workerDied(worker: number, why: string): DistillateError {
  return new DistillateError({
    code: "worker-died",
    message: `worker ${worker + 1} of a training is gone: ${why}`,
    hint: "Run the same command again: it goes on from where it stopped. If memory ran out, lower batchSize or workers.",
  });
}
