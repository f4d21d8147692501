import { DistillateError } from "@distillate/bundle";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { loopsOf } from "../simd/loops.ts";
import { TASKS, type TaskName, type ToldTo, taskNumber } from "../tasks/index.ts";
import type { Task } from "../tasks/task.ts";
import { type Losses, MAIN, MOST_PARTS } from "./control.ts";
import { currentPool, giveUp } from "./pool.ts";

/**
 * Does all parts of a task, with the help that there is.
 *
 * @throws DistillateError `worker-died` where a helper does not come back: what it still writes nobody knows.
 */
export function inParts<Name extends TaskName>(
  backend: BackendWasm,
  name: Name,
  told: ToldTo<Name>,
  parts: number,
): void {
  const task: Task<string> = TASKS[name];
  const doPart = task.begin(loopsOf(backend), MAIN, told);
  const pool = currentPool();
  if (!pool || pool.helpers.size === 0 || parts < 2 || parts > MOST_PARTS) {
    for (let part = 0; part < parts; part++) doPart(part);
    return;
  }
  const { control } = pool;
  const helpers = [...pool.helpers.keys()];
  const numbers = task.fields.map((field) => (told as Readonly<Record<string, number>>)[field]!);
  let losses: Losses;
  control.open(taskNumber(name), numbers, parts, helpers);
  try {
    for (let part = control.next(); part >= 0; part = control.next()) doPart(part);
  } finally {
    losses = control.close(helpers);
    for (const self of losses.failed) pool.helpers.delete(self);
    if (losses.missing.length > 0) giveUp();
  }
  if (losses.missing.length > 0) throw workerDied(losses.missing[0]!);
  // What the failed ones had done nobody knows.
  if (losses.failed.length > 0) for (let part = 0; part < parts; part++) doPart(part);
}

/** How many buffers a kernel must have whose threads each use one. */
export function threadCount(): number {
  return 1 + Math.max(MAIN, ...(currentPool()?.helpers.keys() ?? []));
}

function workerDied(self: number): DistillateError {
  return new DistillateError({
    code: "worker-died",
    message: `worker ${self + 1} of a training did not come back from its part of a kernel`,
    hint: "Run the same command again: it goes on from what was saved last. If memory ran out, lower batchSize or workers.",
  });
}
