/** A unit of work that starts when the jobs it names are done. */
export interface Job<Result> {
  readonly id: string;
  readonly after: readonly string[];
  start(): Promise<Result>;
}

/**
 * Runs jobs at most `slots` at a time, in the order given as far as their dependencies allow.
 *
 * When one fails no further job starts; those under way are waited for, so that what they finish is kept, and the first
 * failure is thrown.
 */
export async function runJobs<Result>(
  jobs: readonly Job<Result>[],
  slots: number,
): Promise<ReadonlyMap<string, Result>> {
  const done = new Map<string, Result>();
  const waiting = [...jobs];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];

  const startReady = (): void => {
    while (running.size < slots && failures.length === 0) {
      const next = waiting.findIndex((job) => job.after.every((id) => done.has(id)));
      const [job] = next < 0 ? [] : waiting.splice(next, 1);
      if (job === undefined) return;
      const task: Promise<void> = job
        .start()
        .then(
          (result) => void done.set(job.id, result),
          (error: unknown) => void failures.push(error),
        )
        .finally(() => running.delete(task));
      running.add(task);
    }
  };

  startReady();
  while (running.size > 0) {
    await Promise.race(running);
    startReady();
  }
  if (failures.length > 0) throw failures[0];
  if (waiting.length > 0)
    throw new Error(`jobs wait for each other or for a missing one: ${waiting.map((job) => job.id)}`);
  return done;
}
