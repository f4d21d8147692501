import type { EngineName, NetworkPlan, RunConfig, TrainPlan } from "@distillate/train";

/** What a training process is told. */
export interface TrainingTask {
  readonly plan: TrainPlan;
  readonly config: RunConfig;
  readonly engine: EngineName;
  readonly directory: string;
  /** Threads that share the work on the wasm engine. */
  readonly workers: number;
  /** Those it learns from, with their directories. */
  readonly speakers: readonly SpeakerTask[];
  /** The checkpoint whose weights it begins with. */
  readonly from?: string;
}

/** One whose word is heard. */
export interface SpeakerTask {
  readonly plan: NetworkPlan;
  readonly directory: string;
  readonly weight: number;
  /** Of what decides everything it says. */
  readonly hash: string;
}

/** What it answers; the files are in the directory. */
export interface TrainingOutcome {
  /** Absent where a brought teacher's file does not tell. */
  readonly parameters?: number;
  /** Of the weights, or of what was brought. */
  readonly bytes: number;
  /** Counted from 1; 0 for what was not trained here. */
  readonly epoch: number;
  readonly validationAccuracy: number;
  /** Threads that shared the work; absent for what was not trained here. */
  readonly workers?: number;
}
