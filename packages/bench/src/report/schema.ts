/** `bench.json`: everything that was measured, raw samples and all, so that whoever reads it can do the sums again. */
import { DistillateError } from "@distillate/bundle";
import * as v from "valibot";

const number = v.pipe(v.number(), v.finite());
const optional = v.optional(number);
const list = <Item extends v.GenericSchema>(item: Item) => v.pipe(v.array(item), v.readonly());

const Phases = v.object({
  runtime: optional,
  compile: optional,
  model: optional,
  session: optional,
  firstRun: optional,
});

const Block = v.object({
  round: number,
  /** Milliseconds a call. */
  samples: list(number),
  batch: number,
  milliseconds: number,
  calibration: v.tuple([number, number]),
  discarded: v.boolean(),
  cpuMilliseconds: optional,
  noticed: v.optional(list(v.string())),
});

const Summary = v.object({
  n: number,
  min: number,
  p50: number,
  p90: optional,
  p95: optional,
  p99: optional,
  max: number,
  mean: number,
  mad: number,
  outliers: number,
});

const Energy = v.object({
  millijoulesPerRun: number,
  method: v.picklist(["rapl", "proxy"]),
  assumption: v.string(),
});

const Latency = v.object({
  blocks: list(Block),
  summary: v.optional(Summary),
  /** Why the numbers must not be relied upon. */
  invalid: v.optional(v.string()),
  cpuMillisecondsPerRun: optional,
  energy: v.optional(Energy),
});

const Offline = v.object({
  rowsPerCall: number,
  samplesPerSecond: number,
  /** Milliseconds a call. */
  samples: list(number),
});

const Paced = v.object({
  framesPerSecond: number,
  samples: list(number),
  missed: number,
  skipped: number,
  summary: v.optional(Summary),
});

const Sustained = v.object({
  seconds: number,
  /** Median of each stretch: seconds since the begin, milliseconds. */
  timeline: list(v.tuple([number, number])),
  /** Median of the last tenth over that of the first. */
  drift: number,
  /** The same of the calibration: 1 when the machine itself kept its pace. */
  calibrationDrift: number,
});

const Memory = v.object({ rss: optional, peakRss: optional, wasmHeap: optional, page: optional });

const Held = v.object({ rss: optional, wasmHeap: optional, tensors: optional });

const ColdStart = v.object({
  /** Milliseconds from nothing to the first result, phase by phase; a fresh process or browser profile each. */
  starts: list(Phases),
  /** The same in a page opened again in its browser profile: runtime and model are in the browser's cache. */
  warmStarts: v.optional(list(Phases)),
  memory: v.optional(Memory),
});

const Quality = v.object({
  samples: number,
  /** Share of labelled samples it names rightly. */
  accuracy: optional,
  /** Share of samples on which it names the class that the reference names. */
  agreement: optional,
  reference: v.optional(v.string()),
  /** Largest absolute difference of an output from the reference's. */
  largestDifference: optional,
  /** The class it names, sample by sample. */
  answers: v.optional(list(number)),
});

const Profile = v.object({
  runs: number,
  /** Milliseconds a run, by layer, in the order of the graph. */
  layers: list(v.object({ layer: v.string(), ops: list(v.string()), milliseconds: number })),
});

const Tiny = v.object({
  task: v.string(),
  /** It never is. */
  official: v.literal(false),
  inferencesPerSecond: number,
  windows: list(number),
  metric: v.picklist(["accuracy", "auc"]),
  target: number,
  quality: optional,
  passed: v.optional(v.boolean()),
});

const Problem = v.object({ code: v.string(), message: v.string(), hint: v.string() });

const Target = v.object({
  id: v.string(),
  model: v.string(),
  runtime: v.string(),
  place: v.picklist(["node", "chromium", "page"]),
  threads: number,
  details: v.record(v.string(), v.union([v.string(), number, v.boolean()])),
  size: v.optional(v.object({ bytes: number, gzipBytes: optional, brotliBytes: number, sha256: v.string() })),
  /** Smallest step of the clock there, milliseconds. */
  resolution: optional,
  latency: v.optional(Latency),
  /** What is held more after the latency was measured than after its first block: bytes, and tensors. */
  growth: v.optional(Held),
  offline: v.optional(Offline),
  paced: v.optional(Paced),
  sustained: v.optional(Sustained),
  coldStart: v.optional(ColdStart),
  quality: v.optional(Quality),
  profile: v.optional(Profile),
  tiny: v.optional(Tiny),
  /** What ended its measurement; what came before is kept. */
  problem: v.optional(Problem),
});

const Report = v.object({
  format: v.literal("distillate-bench"),
  version: v.literal(1),
  subject: v.string(),
  tool: v.string(),
  created: v.string(),
  commit: v.optional(v.string()),
  settings: v.object({
    rule: v.string(),
    runs: number,
    milliseconds: number,
    seed: number,
    blockMilliseconds: number,
  }),
  environment: v.record(v.string(), v.union([v.string(), number])),
  inputs: v.object({ source: v.string(), samples: number, labels: v.optional(list(number)) }),
  targets: list(Target),
  /** What a page fetches beside the model. */
  runtimes: v.optional(
    list(
      v.object({
        runtime: v.string(),
        files: list(v.object({ name: v.string(), bytes: number, gzipBytes: number, brotliBytes: number })),
      }),
    ),
  ),
  notes: list(v.object({ code: v.string(), message: v.string() })),
});

/** A benchmark's results. */
export type BenchReport = v.InferOutput<typeof Report>;
/** One target's results. */
export type TargetReport = BenchReport["targets"][number];

/** The version of the format that this software writes and reads. */
export const REPORT_VERSION = 1;

/**
 * Reads a report from its text.
 *
 * @param name what to call it in errors: its path.
 * @throws DistillateError `bench-unreadable` or `bench-version`.
 */
export function parseReport(text: string, name: string): BenchReport {
  let json: { readonly format?: unknown; readonly version?: unknown } | null;
  try {
    json = JSON.parse(text) as typeof json;
  } catch (cause) {
    throw unreadable(name, `is no JSON (${(cause as Error).message.slice(0, 100)})`, cause);
  }
  if (json?.format !== "distillate-bench") throw unreadable(name, "is JSON of something else");
  if (json.version !== REPORT_VERSION) {
    throw new DistillateError({
      code: "bench-version",
      message: `${name} has version ${JSON.stringify(json.version)}, expected ${REPORT_VERSION}`,
      hint: "Measure again with this version, or read it with the version that wrote it.",
    });
  }
  const result = v.safeParse(Report, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw unreadable(name, `is damaged: ${v.getDotPath(issue) ?? "it"} is ${issue.received}, expected ${issue.expected}`);
}

/** Writes a report; numbers have seven digits, more than any clock here. */
export function formatReport(report: BenchReport): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
  return `${JSON.stringify(report, round)}\n`;
}

function unreadable(name: string, what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "bench-unreadable",
    message: `${name} ${what}`,
    hint: "Give a file that `distillate bench --output FILE.json` wrote, unchanged.",
    cause,
  });
}
