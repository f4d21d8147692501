/** Variants of one network measured in turns on every backend that is here, and which of them each backend shall run. */
import { type NamedRule, STOP_RULES } from "@distillate/bench";
import { type BenchReport, findChromium } from "@distillate/bench/node";
import type { PipelineEvent } from "../events.ts";
import type { BenchInputs } from "./bench-inputs.ts";
import type { ModelFile } from "./bench-targets.ts";
import { type Choice, chooseVariants } from "./choose-variants.ts";
import { measureInTurns } from "./measure-in-turns.ts";

/** How variants are measured, and what they may lose. */
export interface TuneOptions {
  /** Points of accuracy that a variant may lose to be chosen. */
  readonly allowedDrop: number;
  readonly seed: number;
  readonly rule?: NamedRule;
  /** Where to measure, as `bench --targets` has it; all that is here without. */
  readonly targets?: string;
  /** Flags of Node for the processes that are measured; this process's own without them. */
  readonly execArgv?: readonly string[];
  readonly signal: AbortSignal;
  readonly onEvent: (event: PipelineEvent) => void;
}

/** What was measured, and what follows from it. */
export interface Measured {
  readonly choices: readonly Choice[];
  readonly report: BenchReport;
}

/** Measures files, one of which is called fp32: all others are held against it. */
export async function measureVariants(
  subject: string,
  files: readonly ModelFile[],
  inputs: BenchInputs,
  options: TuneOptions,
): Promise<Measured> {
  const places = options.targets ?? (findChromium() === undefined ? "node,wasm" : "node,chromium,webgpu");
  const rule = options.rule ?? STOP_RULES.rapid;
  const report = await measureInTurns(subject, files, inputs, { ...options, targets: places, reference: "fp32", rule });
  return { choices: chooseVariants(report.targets, options), report };
}
