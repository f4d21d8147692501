import type { EngineName, Role, RunConfig } from "@distillate/train";

/** What a training process is told. */
export interface TrainingTask {
  readonly job: string;
  readonly role: Role;
  readonly seed: number;
  readonly config: RunConfig;
  readonly engine: EngineName;
  readonly directory: string;
  /** The teacher's checkpoint, for a student. */
  readonly teacher?: string;
}

/** What it answers; the files are in the directory. */
export interface TrainingOutcome {
  readonly parameters: number;
  readonly epoch: number;
  readonly validationAccuracy: number;
}
