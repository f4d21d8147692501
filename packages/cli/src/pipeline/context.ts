import type { Dataset, Engine, NetworkPlan, RunConfig } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import type { RunDirectory } from "./run-directory.ts";

/** What the pipeline hands to its stages. */
export interface PipelineContext {
  readonly run: RunDirectory;
  readonly config: RunConfig;
  /** Where the files of a network are: in the run's directory, or in that of the runs that share it. */
  directoryOf(plan: Pick<NetworkPlan, "id" | "role">): string;
  readonly engine: Engine;
  readonly data: Dataset;
  /** Threads that share the work on the wasm engine; left out, they are chosen network by network. */
  readonly workers?: number;
  readonly onEvent: (event: PipelineEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly clock: () => number;
}
