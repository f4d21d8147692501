/** Files of the same inputs measured in turns: latency and quality alone, so that what is compared saw the same machine. */
import { resolve } from "node:path";
import type { NamedRule } from "@distillate/bench";
import { type BenchReport, LATENCY_ALONE, runBench } from "@distillate/bench/node";
import type { PipelineEvent } from "../events.ts";
import { TOOL_VERSION } from "../version.ts";
import type { BenchInputs } from "./bench-inputs.ts";
import { type ModelFile, targetsOf } from "./bench-targets.ts";

/** How files are measured. */
export interface TurnOptions {
  /** Where, as `bench --targets` has it. */
  readonly targets: string;
  /** As `bench --threads` has it; one without. */
  readonly threads?: string;
  /** The file that the others' answers are held against. */
  readonly reference?: string;
  readonly rule: NamedRule;
  readonly seed: number;
  /** Flags of Node for the processes that are measured; this process's own without them. */
  readonly execArgv?: readonly string[];
  readonly signal: AbortSignal;
  readonly onEvent: (event: PipelineEvent) => void;
}

/** Measures them. */
export async function measureInTurns(
  subject: string,
  files: readonly ModelFile[],
  { inputs, labels, source, note }: BenchInputs,
  { targets: places, threads = "1", reference, execArgv, rule, seed, signal, onEvent }: TurnOptions,
): Promise<BenchReport> {
  const measured = files.map(({ model, path }) => ({ model, path: resolve(path) }));
  const targets = targetsOf(measured, [], { targets: places, threads });
  return runBench({
    subject,
    tool: `distillate ${TOOL_VERSION}`,
    targets,
    inputs,
    inputSource: source,
    labels,
    reference: targets.find(({ model }) => model === reference)?.id,
    rule,
    seed,
    ...LATENCY_ALONE,
    notes: note === undefined ? [] : [{ code: "inputs", message: note }],
    signal,
    ...(execArgv && { execArgv }),
    now: () => new Date(),
    onEvent(event) {
      if (event.kind === "problem")
        onEvent({ kind: "note", code: "target-failed", message: `${event.target}: ${event.message}` });
      else if (event.kind !== "phase") onEvent(event);
    },
    onReport: async () => undefined,
  });
}
