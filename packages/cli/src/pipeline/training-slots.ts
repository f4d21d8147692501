/** How many networks train at once: as many as there are cores, as long as their memory is there. */
import { availableParallelism, freemem } from "node:os";
import type { Images } from "@distillate/train";
import type { PipelineContext } from "./context.ts";

/** What a training process takes beside its images: Node, tfjs and its kernels, a network, a batch. */
const PROCESS_BYTES = 450 * 2 ** 20;
/** What each further thread of one takes: a heap of its own for the networks and its share of a batch. */
const THREAD_BYTES = 160 * 2 ** 20;
/** Part of the free memory that trainings may take together. */
const SHARE = 0.8;

/** The machine, as far as it limits trainings. */
export interface Machine {
  readonly cores: number;
  /** Bytes that nobody uses. */
  readonly free: number;
}

/** This machine, or the container that the process may use of it. */
function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const left = limit > 0 ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return { cores: availableParallelism(), free: Math.min(freemem(), left) };
}

/**
 * The number of trainings side by side, at least one. The wasm engine uses a core for each of its threads, and each process has
 * the images in its memory; a native engine uses all cores itself.
 */
export function trainingSlots(
  { engine, data, workers = 1 }: Pick<PipelineContext, "engine" | "data" | "workers">,
  { cores, free }: Machine = thisMachine(),
): number {
  if (engine.name !== "wasm") return 1;
  const size = (images: Images | undefined): number => images?.pixels.length ?? 0;
  // Twice: while they are joined or unpacked they are there once more.
  const each =
    PROCESS_BYTES + (workers - 1) * THREAD_BYTES + 2 * (size(data.train) + size(data.test) + 2 * size(data.unlabelled));
  return Math.max(1, Math.min(Math.floor(cores / workers), Math.floor((SHARE * free) / each)));
}
