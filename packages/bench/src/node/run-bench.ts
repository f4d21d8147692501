/** A whole benchmark, top to bottom: open all targets, compare their outputs, measure them in turns, then what needs them alone. */
import { isDistillateError } from "@distillate/bundle";
import type { DeviceFacts } from "../device-protocol.ts";
import type { Host } from "../host.ts";
import { type Outputs, qualityOf } from "../quality.ts";
import { type BenchReport, REPORT_VERSION, type TargetReport } from "../report/schema.ts";
import { type NamedRule, sharedAmong } from "../stop-rule.ts";
import type { InputSet, TargetSpec } from "../target.ts";
import { tinyResult, tinyTaskFor } from "../tiny.ts";
import { currentCommit, describeEnvironment, describeHeat } from "./environment.ts";
import { type FileSize, sizeOf } from "./file-size.ts";
import { BLOCK_MILLISECONDS, measureLatency } from "./latency.ts";
import { type DeviceOptions, openPlaces } from "./places.ts";
import { profileModel } from "./profile.ts";
import { runtimeSizes } from "./runtime-size.ts";
import { coldStart, offline, paced, sustained, tinyWindows } from "./scenarios.ts";

/** What can be measured beside single-stream latency, which always is. */
export const SCENARIOS = ["offline", "paced", "sustained", "cold-start", "runtime-size", "profile", "tiny"] as const;
/** Name of a scenario. */
export type Scenario = (typeof SCENARIOS)[number];

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

/** Everything about one target while it is measured. */
interface Entry {
  readonly spec: TargetSpec;
  /** Samples a call may take; known once it is open. */
  rowsPerCall: number;
  report: TargetReport;
}

/** Runs it. Targets that fail are entries with a problem; the rest goes on. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { seed, signal, onEvent, scenarios } = options;
  let { rule } = options;
  let entries: readonly Entry[] = options.targets.map((spec) => ({
    spec,
    rowsPerCall: 1,
    report: emptyReport(spec),
  }));
  let runtimes: BenchReport["runtimes"];
  const notes = [...(options.notes ?? [])];
  const [facts, heat, commit] = await Promise.all([describeEnvironment(), describeHeat("before"), currentCommit()]);
  const environment = { ...facts, ...heat };
  const reportNow = (): BenchReport => ({
    format: "distillate-bench",
    version: REPORT_VERSION,
    subject: options.subject,
    tool: options.tool,
    created: options.now().toISOString(),
    ...(commit !== undefined && { commit }),
    settings: {
      rule: rule.name,
      runs: rule.runs,
      milliseconds: rule.milliseconds,
      seed,
      blockMilliseconds: BLOCK_MILLISECONDS,
    },
    environment,
    inputs: {
      source: options.inputSource,
      samples: options.inputs.samples,
      ...(options.labels && { labels: Array.from(options.labels) }),
    },
    targets: entries.map(({ report }) => report),
    ...(runtimes && { runtimes }),
    notes,
  });
  const working = (): readonly Entry[] => entries.filter(({ report }) => report.problem === undefined);
  /** Does one thing for one target; what it throws becomes the target's problem. */
  const attempt = async (entry: Entry, work: () => Promise<Partial<TargetReport>>): Promise<void> => {
    signal.throwIfAborted();
    try {
      entry.report = { ...entry.report, ...(await work()) };
    } catch (error) {
      fail(entry, error);
    }
  };
  const fail = (entry: Entry, error: unknown): void => {
    const problem = problemOf(error);
    entry.report = { ...entry.report, problem };
    onEvent({ kind: "problem", target: entry.spec.id, message: problem.message });
  };
  const inTurn = async (
    what: string,
    all: readonly Entry[],
    each: (entry: Entry) => Promise<Partial<TargetReport>>,
  ): Promise<void> => {
    for (const [done, entry] of all.entries()) {
      onEvent({ kind: "progress", what: `${what}: ${entry.spec.id}`, done, total: all.length });
      await attempt(entry, () => each(entry));
    }
  };
  const phase = async (what: string, each: (entry: Entry) => Promise<Partial<TargetReport>>): Promise<void> => {
    await inTurn(what, working(), each);
    await options.onReport(reportNow());
  };

  const places = await openPlaces(options, (error) => {
    for (const entry of entries) {
      if (entry.spec.place === "chromium") entry.report = { ...entry.report, problem: problemOf(error) };
    }
    const { code, message, hint } = problemOf(error);
    onEvent({ kind: "note", code, message: `pages are not measured: ${message}. ${hint}` });
  });
  if (places.browserVersion) environment.chromium = places.browserVersion;
  if (options.webgpuOnHardwareOnly && places.webgpuMissing !== undefined) {
    entries = entries.filter(({ spec }) => spec.runtime !== "onnxruntime-web-webgpu" || spec.place === "page");
    const message = `WebGPU was not measured: ${places.webgpuMissing}`;
    notes.push({ code: "webgpu-missing", message });
    onEvent({ kind: "note", code: "webgpu-missing", message });
  }
  if (places.device !== undefined) Object.assign(environment, deviceFacts(places.device));
  if (places.device !== undefined && "reason" in places.device.webgpu) {
    const message = `WebGPU was not measured on the device: ${places.device.webgpu.reason}`;
    entries = entries.filter(({ spec }) => spec.place !== "page" || spec.runtime !== "onnxruntime-web-webgpu");
    notes.push({ code: "webgpu-missing", message });
    onEvent({ kind: "note", code: "webgpu-missing", message });
  }
  const byId = new Map(entries.map((entry) => [entry.spec.id, entry]));
  const hostOf = ({ spec }: Entry): Host => places.hostFor(spec);

  try {
    const outputs = new Map<string, Outputs>();
    const sizes = new Map<string, FileSize>();
    const sized = async (path: string): Promise<FileSize> => {
      const size = sizes.get(path) ?? (await sizeOf(path));
      sizes.set(path, size);
      return size;
    };
    const open = async (entry: Entry): Promise<Partial<TargetReport>> => {
      const { spec } = entry;
      const { resolution, details, rowsPerCall } = await hostOf(entry).open(places.located(spec));
      entry.rowsPerCall = rowsPerCall;
      const size = spec.source.endsWith(".onnx") ? { size: await sized(spec.source) } : {};
      const values = await hostOf(entry).outputs(spec.id, options.inputs.samples);
      outputs.set(spec.id, { id: spec.id, values });
      return { resolution, details, ...size };
    };
    // Nothing is measured yet: every place opens what it has to, all at once.
    const hosts = [...new Set(working().map(hostOf))];
    await Promise.all(
      hosts.map((host) =>
        inTurn(
          "opening",
          working().filter((entry) => hostOf(entry) === host),
          open,
        ),
      ),
    );
    await options.onReport(reportNow());
    rule = sharedAmong(rule, working().length);
    const reference = outputs.get(options.reference ?? "") ?? [...outputs.values()][0];
    for (const entry of working()) {
      const own = outputs.get(entry.spec.id)!;
      entry.report = { ...entry.report, quality: qualityOf(own, options.inputs.samples, options.labels, reference) };
    }
    if (scenarios.includes("cold-start")) {
      // A device's browser profile is its owner's: nothing of it is wiped for a measurement.
      await phase("cold start", async ({ spec }) =>
        spec.place === "page" ? {} : { coldStart: await coldStart(spec, places, rule.coldStarts) },
      );
    }

    if (scenarios.includes("runtime-size")) {
      runtimes = await runtimeSizes(new Set(working().map(({ spec }) => spec.runtime)));
    }
    onEvent({ kind: "phase", what: `latency of ${working().length} targets in turns` });
    await measureLatency(
      working().map(({ spec }) => spec.id),
      (id) => hostOf(byId.get(id)!),
      {
        rule,
        seed,
        signal,
        onFailure: (id, error) => fail(byId.get(id)!, error),
        onProgress: (done, total) => onEvent({ kind: "progress", what: "latency", done, total }),
        async onResults(results) {
          for (const [id, latency] of results) {
            const entry = byId.get(id)!;
            entry.report = { ...entry.report, latency };
          }
          await options.onReport(reportNow());
        },
      },
    );
    for (const entry of working()) {
      await attempt(entry, async () => ({ growth: await hostOf(entry).growth(entry.spec.id) }));
    }
    if (scenarios.includes("offline")) {
      await phase("throughput", async (entry) => ({
        offline: await offline(entry.spec.id, hostOf(entry), entry.rowsPerCall),
      }));
    }
    if (scenarios.includes("paced")) {
      const { framesPerSecond } = options;
      await phase(`${framesPerSecond} frames a second`, async (entry) => ({
        paced: await paced(entry.spec.id, hostOf(entry), framesPerSecond, rule.milliseconds),
      }));
    }
    if (scenarios.includes("sustained")) {
      await phase("sustained", async (entry) => ({
        sustained: await sustained(entry.spec.id, hostOf(entry), options.sustainedSeconds, signal),
      }));
    }
    if (scenarios.includes("profile")) {
      for (const entry of working().filter(({ spec }) => spec.runtime === "onnxruntime-node")) {
        await attempt(entry, async () => ({ profile: await profileModel(entry.spec.source, options.inputs) }));
      }
    }
    if (scenarios.includes("tiny")) {
      const [first] = outputs.values();
      const values = (first?.values.length ?? 0) / options.inputs.samples;
      const task = tinyTaskFor(options.inputs.tensors[0]!.row, values);
      if (!task) {
        const message = `this model, from [${options.inputs.tensors[0]!.row}] to ${values} values, is none of MLPerf Tiny's`;
        notes.push({ code: "no-tiny-task", message });
        onEvent({ kind: "note", code: "no-tiny-task", message });
      } else {
        await phase("MLPerf Tiny's windows", async (entry) => ({
          tiny: tinyResult(
            task,
            await tinyWindows(entry.spec.id, hostOf(entry), signal),
            entry.report.quality?.accuracy,
          ),
        }));
      }
    }
    Object.assign(environment, await describeHeat("after"));
    const report = reportNow();
    await options.onReport(report);
    return report;
  } finally {
    await places.close();
  }
}

function deviceFacts({
  userAgent,
  cores,
  memory,
  screen,
  isolated,
  webgpu,
}: DeviceFacts): Record<string, string | number> {
  return {
    device: userAgent,
    "device cores": cores,
    ...(memory !== undefined && { "device memory": `${memory} GB or more` }),
    "device screen": screen,
    "device threads": isolated ? "allowed" : "one: the page is not isolated, which takes https",
    "device WebGPU": "reason" in webgpu ? webgpu.reason : `${webgpu.adapter}${webgpu.software ? " (software)" : ""}`,
  };
}

function emptyReport({ id, model, runtime, place, threads }: TargetSpec): TargetReport {
  // The address of a module says where it lies on this machine; its name is enough.
  const name = runtime.startsWith("file:")
    ? runtime
        .split("/")
        .at(-1)!
        .replace(/\.[jt]s$/, "")
    : runtime;
  return { id, model, runtime: name, place, threads, details: {} };
}

function problemOf(error: unknown): NonNullable<TargetReport["problem"]> {
  if (isDistillateError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "target-failed",
    message: String((error as Error)?.message ?? error),
    hint: "The other targets go on.",
  };
}
