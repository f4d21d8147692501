import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type RunConfig, writeError, writeFileAtomic } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { acquireLock } from "./lock.ts";

/** A run directory that this process may write: `config.json`, `events.jsonl` and one directory a stage. */
export interface RunDirectory {
  readonly path: string;
  /** Path of a stage's directory, or of a file in it. */
  at(...parts: readonly string[]): string;
  /** Appends to `events.jsonl`. */
  record(event: PipelineEvent): void;
  close(): void;
}

/**
 * Opens a run directory for writing and records the resolved configuration.
 *
 * @throws DistillateError `run-locked`, `disk-full` or `out-not-writable`.
 */
export async function openRunDirectory(path: string, config: RunConfig): Promise<RunDirectory> {
  const lock = await acquireLock(path).catch((error: unknown) => {
    throw writeError(path, error);
  });
  const events = join(path, "events.jsonl");
  const record = (event: PipelineEvent): void => {
    try {
      appendFileSync(events, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
    } catch (error) {
      throw writeError(events, error);
    }
  };
  try {
    await writeFileAtomic(join(path, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
    if (lock.tookOverStale) {
      record({ kind: "note", code: "stale-lock", message: "took over the lock of a process that is gone" });
    }
  } catch (error) {
    lock.release();
    throw error;
  }
  return { path, at: (...parts) => join(path, ...parts), record, close: lock.release };
}

/** Events as a listener gets them, all but the many small ones also written to `events.jsonl`. */
export function recordingTo(
  run: Pick<RunDirectory, "record">,
  onEvent: (event: PipelineEvent) => void,
): (event: PipelineEvent) => void {
  return (event) => {
    if (event.kind !== "step" && event.kind !== "progress") run.record(event);
    onEvent(event);
  };
}
