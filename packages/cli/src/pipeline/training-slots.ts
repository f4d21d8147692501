/** How many networks train at once: as many as there are cores, as long as their memory is there. */
import { availableParallelism, freemem } from "node:os";
import type { EngineName, Images } from "@distillate/train";
import type { PipelineContext } from "./context.ts";

/** What a training process takes beside its images: Node, tfjs and its kernels, a network, a batch and what is computed of it. */
const PROCESS_BYTES: { readonly [Name in EngineName]: number } = {
  wasm: 450 * 2 ** 20,
  tensorflow: 1000 * 2 ** 20,
  "tensorflow-gpu": 2000 * 2 ** 20,
};
/** What each further thread of one takes: an instance of V8; the heap is shared. */
const THREAD_BYTES = 60 * 2 ** 20;
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
 * The number of trainings side by side, at least one. The wasm engine uses a core for each of its threads; the native one may use all,
 * but networks as small as ours keep little more than one busy. Each process has the images in its memory. A graphics card is for
 * one at a time.
 */
export function trainingSlots(
  { engine, data, workers = 1 }: Pick<PipelineContext, "engine" | "data" | "workers">,
  { cores, free }: Machine = thisMachine(),
): number {
  if (engine.name === "tensorflow-gpu") return 1;
  const threads = engine.name === "wasm" ? workers : 1;
  const size = (images: Images | undefined): number => images?.pixels.length ?? 0;
  // Twice: while they are joined or unpacked they are there once more.
  const each =
    PROCESS_BYTES[engine.name] +
    (threads - 1) * THREAD_BYTES +
    2 * (size(data.train) + size(data.test) + 2 * size(data.unlabelled));
  return Math.max(1, Math.min(Math.floor(cores / threads), Math.floor((SHARE * free) / each)));
}
