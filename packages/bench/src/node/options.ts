/** What a benchmark is asked for, and what it tells while it runs. */
import type { BenchReport } from "../report/schema.ts";
import type { NamedRule } from "../stop-rule.ts";
import type { InputSet, TargetSpec } from "../target.ts";
import type { DeviceOptions } from "./places.ts";

/** What can be measured beside single-stream latency, which always is. */
export const SCENARIOS = ["offline", "paced", "sustained", "cold-start", "runtime-size", "profile", "tiny"] as const;
/** Name of a scenario. */
export type Scenario = (typeof SCENARIOS)[number];

/** The part of {@link BenchOptions} for those who ask for latency and quality alone, on what this machine truly has. */
export const LATENCY_ALONE = {
  scenarios: [],
  framesPerSecond: 30,
  sustainedSeconds: 0,
  softwareWebgpu: false,
  webgpuOnHardwareOnly: true,
} as const satisfies Partial<BenchOptions>;

/** What is told while it goes on. */
export type BenchEvent =
  | { readonly kind: "phase"; readonly what: string }
  | { readonly kind: "problem"; readonly target: string; readonly message: string }
  | { readonly kind: "note"; readonly code: string; readonly message: string }
  | { readonly kind: "progress"; readonly what: string; readonly done: number; readonly total: number };

/** What to measure. */
export interface BenchOptions {
  readonly subject: string;
  readonly tool: string;
  readonly targets: readonly TargetSpec[];
  readonly inputs: InputSet;
  /** Where the inputs come from, in words. */
  readonly inputSource: string;
  /** Class of each sample. */
  readonly labels?: ArrayLike<number> | undefined;
  /** The target that agreement is counted against; its id. */
  readonly reference?: string | undefined;
  readonly rule: NamedRule;
  readonly seed: number;
  readonly scenarios: readonly Scenario[];
  readonly framesPerSecond: number;
  readonly sustainedSeconds: number;
  /** Give Chromium a software graphics adapter: for function, not for speed. */
  readonly softwareWebgpu: boolean;
  /** Leave WebGPU out, with a note, where there is no graphics hardware. */
  readonly webgpuOnHardwareOnly: boolean;
  /** Serves the page that a device opens, for targets of place `page`. */
  readonly device?: DeviceOptions | undefined;
  readonly notes?: BenchReport["notes"];
  /** Flags of Node for the processes that targets run in; this process's own without them. */
  readonly execArgv?: readonly string[];
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly onEvent: (event: BenchEvent) => void;
  /** Takes what there is so far, after every step: nothing is lost when a later one fails. */
  readonly onReport: (report: BenchReport) => Promise<void>;
}
