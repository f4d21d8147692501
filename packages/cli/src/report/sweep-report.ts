import type { Engine, RunConfig } from "@distillate/train";
import type { Axes, Candidate } from "../sweep/axes.ts";
import type { Round } from "../sweep/halving.ts";
import type { MergedReport } from "./merged-report.ts";

/** One candidate of a search. */
export interface SweptCandidate extends Pick<Candidate, "id" | "values"> {
  /** Validation accuracy of each round; `null` where it was no longer there. */
  readonly scores: readonly (number | null)[];
  /** Its run, below the search's directory, where it came to its end. */
  readonly run?: string;
  /** Whether every check of that run was passed. */
  readonly passed?: boolean;
}

/** What `sweep.json` says of a search. */
export interface SweepReport {
  readonly format: "distillate-sweep";
  readonly version: 1;
  readonly name: string;
  readonly tool: string;
  readonly node: string;
  readonly engine: Engine;
  /** What the candidates vary. */
  readonly config: RunConfig;
  readonly axes: Axes;
  readonly rounds: readonly Round[];
  readonly candidates: readonly SweptCandidate[];
  /** The runs of those that came to their end. */
  readonly finished: MergedReport;
}
