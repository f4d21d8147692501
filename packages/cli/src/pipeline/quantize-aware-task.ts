import type { EngineName, RunConfig, TrainPlan } from "@distillate/train";
import type { SpeakerTask } from "./training-task.ts";

/** What the process that makes a student quantisation-aware is told. */
export interface QuantizeAwareTask {
  readonly config: RunConfig;
  readonly tuning: NonNullable<RunConfig["student"]["quantizeAware"]>;
  readonly engine: EngineName;
  readonly seed: number;
  readonly directory: string;
  /** The student's checkpoint directory. */
  readonly student: string;
  /** How it learned from others when it last did, and from whom. */
  readonly plan: TrainPlan;
  readonly speakers: readonly SpeakerTask[];
}
