/** Variants of one network measured in turns on every backend that is here, and which of them each backend shall run. */
import { resolve } from "node:path";
import { type NamedRule, STOP_RULES } from "@distillate/bench";
import { type BenchEvent, type BenchReport, findChromium, LATENCY_ALONE, runBench } from "@distillate/bench/node";
import { TOOL_VERSION } from "../version.ts";
import type { BenchInputs } from "./bench-inputs.ts";
import { type ModelFile, targetsOf } from "./bench-targets.ts";
import { type Choice, chooseVariants } from "./choose-variants.ts";

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
  readonly onEvent: (event: BenchEvent) => void;
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
  { inputs, labels, source, note }: BenchInputs,
  options: TuneOptions,
): Promise<Measured> {
  const places = options.targets ?? (findChromium() === undefined ? "node,wasm" : "node,chromium,webgpu");
  const measured = files.map(({ model, path }) => ({ model, path: resolve(path) }));
  const targets = targetsOf(measured, [], { targets: places, threads: "1" });
  const report = await runBench({
    subject,
    tool: `distillate ${TOOL_VERSION}`,
    targets,
    inputs,
    inputSource: source,
    labels,
    reference: targets.find(({ model }) => model === "fp32")?.id,
    rule: options.rule ?? STOP_RULES.rapid,
    seed: options.seed,
    ...LATENCY_ALONE,
    notes: note === undefined ? [] : [{ code: "inputs", message: note }],
    signal: options.signal,
    ...(options.execArgv && { execArgv: options.execArgv }),
    now: () => new Date(),
    onEvent: options.onEvent,
    onReport: async () => undefined,
  });
  return { choices: chooseVariants(report.targets, options), report };
}
