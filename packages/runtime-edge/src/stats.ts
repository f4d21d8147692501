/** What a model has done so far. */
import type { RunTimes } from "./events.ts";

/** Numbers of one model since it was loaded. */
export interface ModelStats {
  readonly runs: number;
  readonly failures: number;
  readonly waiting: number;
  readonly restarts: number;
  /** Size of the WebAssembly memory after the last call, where it can be seen. */
  readonly heapBytes: number | undefined;
  /** Milliseconds over the last calls, at most 1024 of them; absent before the first. */
  readonly latency: { readonly [Phase in keyof RunTimes]: Percentiles } | undefined;
}

/** Of one phase, in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

const WINDOW = 1024;
const PHASES = ["queue", "prepare", "run", "total"] as const;

/** Collects the times of calls. */
export interface LatencyWindow {
  readonly runs: number;
  readonly failures: number;
  add(times: RunTimes): void;
  fail(): void;
  percentiles(): ModelStats["latency"];
}

/** Keeps the last 1024 calls. */
export function createLatencyWindow(): LatencyWindow {
  const kept: RunTimes[] = [];
  let runs = 0;
  let failures = 0;
  return {
    get runs() {
      return runs;
    },
    get failures() {
      return failures;
    },
    add(times) {
      kept[runs++ % WINDOW] = times;
    },
    fail() {
      failures++;
    },
    percentiles() {
      if (kept.length === 0) return undefined;
      return Object.fromEntries(
        PHASES.map((phase) => [phase, percentilesOf(kept.map((times) => times[phase]))]),
      ) as unknown as NonNullable<ModelStats["latency"]>;
    },
  };
}

/** Nearest-rank percentiles. */
function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1)! };
}
