import type { Dataset, Engine, RunConfig } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import type { RunDirectory } from "./run-directory.ts";

/** What the pipeline hands to its stages. */
export interface PipelineContext {
  readonly run: RunDirectory;
  readonly config: RunConfig;
  readonly engine: Engine;
  readonly data: Dataset;
  readonly onEvent: (event: PipelineEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly clock: () => number;
}
