import { type ChildProcess, fork } from "node:child_process";
import { DistillateError, type DistillateErrorInit, isDistillateError } from "@distillate/bundle";

/** What a parent sends to the process it forked. */
export type ToChild<Task> = { readonly kind: "start"; readonly task: Task } | { readonly kind: "abort" };

/** What a forked process sends back. */
export type FromChild<Event, Result> =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "failed"; readonly error: DistillateErrorInit | { readonly stack: string } };

/** How {@link runInChild} is to run a task. */
export interface ChildOptions<Event> {
  readonly onEvent: (event: Event) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs a task in a process of its own, so that two trainings use two cores and a crash of one is an error, not the end.
 *
 * On abort the child is asked to stop at its next safe point; it is not killed.
 *
 * @throws DistillateError what the child threw, or `job-died` when it ended without a word.
 */
export function runInChild<Task, Event, Result>(
  module: URL,
  task: Task,
  options: ChildOptions<Event>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(module, {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const send = (message: ToChild<Task>): void => {
      if (child.connected) child.send(message);
    };
    const abort = (): void => send({ kind: "abort" });
    const settle = (outcome: () => void): void => {
      options.signal.removeEventListener("abort", abort);
      outcome();
    };
    options.signal.addEventListener("abort", abort);
    child.on("message", (message: FromChild<Event, Result>) => {
      if (message.kind === "event") options.onEvent(message.event);
      else if (message.kind === "done") settle(() => resolve(message.result));
      else settle(() => reject(revive(message.error)));
    });
    child.on("error", (error) => settle(() => reject(error)));
    child.on("exit", (code, signal) =>
      settle(() =>
        reject(
          new DistillateError({
            code: "job-died",
            message: `a training process ended with ${signal ?? `exit status ${code}`} before it had a result`,
            hint: "Run the same command again: it continues from the last checkpoint. If memory ran out, lower batchSize.",
          }),
        ),
      ),
    );
    send({ kind: "start", task });
    if (options.signal.aborted) abort();
  });
}

/**
 * The child's side: waits for its task, runs it, answers, and leaves. When the parent dies the child ends at once, so that
 * nobody writes into a run directory that another process may take over.
 */
export function serveParent<Task, Event, Result>(
  work: (task: Task, onEvent: (event: Event) => void, signal: AbortSignal) => Promise<Result>,
): void {
  const abort = new AbortController();
  const send = (message: FromChild<Event, Result>): void => {
    if (process.connected) process.send?.(message);
  };
  // The terminal sends Ctrl-C to the whole group; the parent decides what it means.
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => process.exit(1));
  process.on("message", (message: ToChild<Task>) => {
    if (message.kind === "abort") return abort.abort();
    work(message.task, (event) => send({ kind: "event", event }), abort.signal)
      .then(
        (result) => send({ kind: "done", result }),
        (error: unknown) => send({ kind: "failed", error: describe(error) }),
      )
      .finally(() => process.disconnect?.());
  });
}

function describe(error: unknown): DistillateErrorInit | { stack: string } {
  if (isDistillateError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return { stack: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function revive(error: DistillateErrorInit | { readonly stack: string }): Error {
  if ("code" in error) return new DistillateError(error);
  return Object.assign(new Error("a training process failed"), { stack: error.stack });
}
