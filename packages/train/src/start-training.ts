import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { type CompiledTraining, compileTraining, type TrainingParts } from "./compiled-training.ts";
import { computesOnOneCore } from "./engine/one-core.ts";
import { lendThreads } from "./engine/threads/pool.ts";

/** How many threads share the kernels of a training. */
export interface Workers {
  readonly count: number;
  /** As many were asked for. */
  readonly wanted: number;
  /** Why there are fewer. */
  readonly reason?: string;
}

/** A training's steps, and who takes them. */
export interface StartedTraining {
  readonly steps: CompiledTraining;
  /** As they are now. */
  workers(): Workers;
}

/**
 * Makes the steps of a training, and has their kernels shared by several threads where that is wanted and the engine computes on one
 * core. Nothing of the result depends on their number.
 *
 * @param onWorkers - Told who shares, where several should, and when they become fewer.
 */
export async function startTraining(
  parts: TrainingParts,
  wanted: number,
  onWorkers: (workers: Workers) => void,
): Promise<StartedTraining> {
  const steps = compileTraining(parts);
  let workers: Workers = { count: 1, wanted };
  if (wanted <= 1) return { steps, workers: () => workers };
  const change = (next: Omit<Workers, "wanted">): void => {
    workers = { ...next, wanted };
    onWorkers(workers);
  };
  if (!computesOnOneCore()) {
    change({ count: 1, reason: "the engine uses all cores itself" });
    return { steps, workers: () => workers };
  }
  const onLost = (count: number, reason: string): void => change({ count, reason });
  const { release, ...lent } = await lendThreads(tf.backend() as BackendWasm, wanted, onLost).catch(
    (error: unknown) => {
      steps.dispose();
      throw error;
    },
  );
  change(lent);
  const dispose = (): void => {
    steps.dispose();
    release();
  };
  return { steps: { ...steps, dispose }, workers: () => workers };
}
