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
  /** Absent where a brought teacher's file does not tell. */
  readonly parameters?: number;
  /** Of the weights, or of a brought teacher's files. */
  readonly bytes: number;
  /** Counted from 1; 0 for a teacher that was not trained here. */
  readonly epoch: number;
  readonly validationAccuracy: number;
}
