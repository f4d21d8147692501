/**
 * One call at a time. onnxruntime-web neither allows two runs at once nor survives them on WebGPU, so calls wait here; a call
 * that fails or is given up leaves the others untouched.
 */
import { DistillateError } from "@distillate/bundle";

/** How calls wait. */
export interface QueueOptions {
  /** `fifo` answers all in order; `latest` keeps only the newest waiting call, for cameras. */
  readonly policy: "fifo" | "latest";
  /** Most calls that may wait under `fifo`. */
  readonly depth: number;
}

/** A queue of calls. */
export interface Queue {
  /** Calls that wait, without the one under way. */
  readonly waiting: number;
  /**
   * Runs `task` when its turn comes.
   *
   * @throws DistillateError `queue-full` at once, `superseded` when a newer call takes its place; the signal's reason when it
   * is aborted while it waits. Once under way, the task itself looks at the signal.
   */
  push<Value>(task: () => Promise<Value>, signal: AbortSignal): Promise<Value>;
  /** Refuses all that wait. */
  clear(error: Error): void;
}

interface Entry {
  readonly start: () => Promise<void>;
  readonly refuse: (error: Error) => void;
}

/** Makes a queue. */
export function createQueue({ policy, depth }: QueueOptions): Queue {
  let entries: readonly Entry[] = [];
  let current: Promise<void> | undefined;

  const refuseAll = (error: Error): void => {
    const refused = entries;
    entries = [];
    for (const { refuse } of refused) refuse(error);
  };
  const advance = (): void => {
    const [first, ...rest] = entries;
    entries = rest;
    current = first?.start().then(advance);
  };

  return {
    get waiting() {
      return entries.length;
    },
    push: (task, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (policy === "latest") refuseAll(superseded());
        else if (entries.length >= depth) return reject(full(depth));
        const onAbort = (): void => {
          entries = entries.filter((other) => other !== entry);
          reject(signal.reason);
        };
        const entry: Entry = {
          start: () => {
            signal.removeEventListener("abort", onAbort);
            return task().then(resolve, reject);
          },
          refuse: (error) => {
            signal.removeEventListener("abort", onAbort);
            reject(error);
          },
        };
        signal.addEventListener("abort", onAbort, { once: true });
        entries = [...entries, entry];
        if (!current) advance();
      }),
    clear: refuseAll,
  };
}

function superseded(): DistillateError {
  return new DistillateError({
    code: "superseded",
    message: "a newer call took the place of this one",
    hint: 'This is what `queue: { policy: "latest" }` does when calls come faster than results; ignore it.',
  });
}

function full(depth: number): DistillateError {
  return new DistillateError({
    code: "queue-full",
    message: `${depth} calls wait already`,
    hint: 'Await results before calling again, use `queue: { policy: "latest" }`, or raise `queue.depth`.',
  });
}
