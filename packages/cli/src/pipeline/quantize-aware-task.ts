import type { EngineName, RunConfig } from "@distillate/train";

/** What the process that makes a student quantisation-aware is told. */
export interface QuantizeAwareTask {
  readonly config: RunConfig;
  readonly tuning: NonNullable<RunConfig["student"]["quantizeAware"]>;
  readonly engine: EngineName;
  readonly seed: number;
  readonly directory: string;
  /** Checkpoint directories. */
  readonly student: string;
  readonly teacher: string;
}
