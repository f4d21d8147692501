/** A whole benchmark, top to bottom: open all targets, compare their outputs, measure them in turns, then what needs them alone. */
import { isDistillateError } from "@distillate/bundle";
import type { Browser } from "playwright-core";
import { compareStretches } from "../drift.ts";
import type { Host, Memory } from "../host.ts";
import { revivingHost } from "../host-protocol.ts";
import { countedBlocks, type Measurable, type Measurement, measureInterleaved } from "../measure.ts";
import { type Outputs, qualityOf } from "../quality.ts";
import { type BenchReport, REPORT_VERSION, type TargetReport } from "../report/schema.ts";
import { summarize } from "../statistics.ts";
import type { NamedRule } from "../stop-rule.ts";
import type { InputSet, Phases, TargetSpec } from "../target.ts";
import { connectToChild } from "./child-connection.ts";
import { launchChromium } from "./chromium.ts";
import { energyOf, readJoules } from "./energy.ts";
import { currentCommit, describeEnvironment } from "./environment.ts";
import { sizeOf } from "./file-size.ts";
import { connectToPage } from "./page-connection.ts";
import { type PageServer, servePage } from "./page-server.ts";
import { profileModel } from "./profile.ts";

/** What can be measured beside single-stream latency, which always is. */
export const SCENARIOS = ["offline", "paced", "sustained", "cold-start", "profile"] as const;
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
  readonly notes?: BenchReport["notes"];
  /** Flags of Node for the processes that targets run in; this process's own without them. */
  readonly execArgv?: readonly string[];
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly onEvent: (event: BenchEvent) => void;
  /** Takes what there is so far, after every step: nothing is lost when a later one fails. */
  readonly onReport: (report: BenchReport) => Promise<void>;
}

const BLOCK_MILLISECONDS = 100;
const OFFLINE_MILLISECONDS = 500;
const PACED_SECONDS = 3;
/** No more than so much is lost when the benchmark itself dies. */
const SAVE_MILLISECONDS = 10_000;

/** Everything about one target while it is measured. */
interface Entry {
  readonly spec: TargetSpec;
  /** Samples a call may take; known once it is open. */
  rowsPerCall: number;
  report: TargetReport;
}

/** Runs it. Targets that fail are entries with a problem; the rest goes on. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { rule, seed, signal, onEvent, scenarios } = options;
  let entries: readonly Entry[] = options.targets.map((spec) => ({
    spec,
    rowsPerCall: 1,
    report: emptyReport(spec),
  }));
  const notes = [...(options.notes ?? [])];
  const [environment, commit] = await Promise.all([describeEnvironment(), currentCommit()]);
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
  const phase = async (what: string, each: (entry: Entry) => Promise<Partial<TargetReport>>): Promise<void> => {
    const all = working();
    for (const [done, entry] of all.entries()) {
      onEvent({ kind: "progress", what: `${what}: ${entry.spec.id}`, done, total: all.length });
      await attempt(entry, () => each(entry));
    }
    await options.onReport(reportNow());
  };

  const places = await openPlaces(options, (error) => {
    for (const entry of entries) if (entry.spec.place === "chromium") entry.report = withProblem(entry.report, error);
    notes.push({
      code: "chromium-missing",
      message: `pages were not measured: ${problemOf(error).message}. ${problemOf(error).hint}`,
    });
    onEvent({ kind: "note", ...notes.at(-1)! });
  });
  if (places.browserVersion) environment.chromium = places.browserVersion;
  if (options.webgpuOnHardwareOnly && places.webgpuMissing !== undefined) {
    entries = entries.filter(({ spec }) => spec.runtime !== "onnxruntime-web-webgpu");
    const message = `WebGPU was not measured: ${places.webgpuMissing}`;
    notes.push({ code: "webgpu-missing", message });
    onEvent({ kind: "note", code: "webgpu-missing", message });
  }
  const hostOf = ({ spec }: Entry): Host => places.hostFor(spec);

  try {
    const outputs = new Map<string, Outputs>();
    await phase("opening", async (entry) => {
      const { spec } = entry;
      const { resolution, details, rowsPerCall } = await hostOf(entry).open(places.located(spec));
      entry.rowsPerCall = rowsPerCall;
      const size = spec.source.endsWith(".onnx") ? { size: await sizeOf(spec.source) } : {};
      const values = await hostOf(entry).outputs(spec.id, options.inputs.samples);
      outputs.set(spec.id, { id: spec.id, values });
      return { resolution, details, ...size };
    });
    const reference = outputs.get(options.reference ?? "") ?? [...outputs.values()][0];
    for (const entry of working()) {
      const own = outputs.get(entry.spec.id)!;
      entry.report = { ...entry.report, quality: qualityOf(own, options.inputs.samples, options.labels, reference) };
    }
    if (scenarios.includes("cold-start")) await phase("cold start", (entry) => coldStart(entry.spec, places, options));

    onEvent({ kind: "phase", what: `latency of ${working().length} targets in turns` });
    await measureLatency(working(), hostOf, options, fail, async () => options.onReport(reportNow()));
    if (scenarios.includes("offline")) {
      await phase("throughput", async (entry) => ({ offline: await offline(entry, hostOf(entry)) }));
    }
    if (scenarios.includes("paced")) {
      const { framesPerSecond } = options;
      await phase(`${framesPerSecond} frames a second`, async (entry) => {
        const frames = Math.ceil(PACED_SECONDS * framesPerSecond);
        const paced = await hostOf(entry).paced(entry.spec.id, framesPerSecond, frames);
        return { paced: { ...paced, summary: paced.samples.length > 0 ? summarize(paced.samples) : undefined } };
      });
    }
    if (scenarios.includes("sustained")) {
      await phase("sustained", async (entry) => ({
        sustained: await sustained(entry, hostOf(entry), options.sustainedSeconds, signal),
      }));
    }
    if (scenarios.includes("profile")) {
      for (const entry of working().filter(({ spec }) => spec.runtime === "onnxruntime-node")) {
        await attempt(entry, async () => ({ profile: await profileModel(entry.spec.source, options.inputs) }));
      }
    }
    const report = reportNow();
    await options.onReport(report);
    return report;
  } finally {
    await places.close();
  }
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

function withProblem(report: TargetReport, error: unknown): TargetReport {
  return { ...report, problem: problemOf(error) };
}

function problemOf(error: unknown): NonNullable<TargetReport["problem"]> {
  if (isDistillateError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "target-failed",
    message: String((error as Error)?.message ?? error),
    hint: "The other targets go on.",
  };
}

/** Where targets run. */
interface Places {
  readonly browserVersion: string | undefined;
  /** Why there is no graphics hardware for pages; absent where there is some. */
  readonly webgpuMissing: string | undefined;
  hostFor(spec: TargetSpec): Host;
  /** The same target with its source as its place reaches it. */
  located(spec: TargetSpec): TargetSpec;
  /** A host of its own, from nothing. */
  fresh(spec: TargetSpec): Host;
  close(): Promise<void>;
}

async function openPlaces(options: BenchOptions, onMissing: (error: unknown) => void): Promise<Places> {
  const { inputs, targets, softwareWebgpu, execArgv } = options;
  let browser: Browser | undefined;
  let server: PageServer | undefined;
  if (targets.some(({ place }) => place === "chromium")) {
    try {
      browser = await launchChromium({ softwareWebgpu });
      server = await servePage(inputs);
    } catch (error) {
      onMissing(error);
    }
  }
  const gpu = browser && server ? await findGpu(browser, server.url) : undefined;
  const child = (): Host => revivingHost(inputs, () => connectToChild(execArgv));
  const page = (): Host => revivingHost(inputs, () => connectToPage(browser!, server!.url));
  const hosts = new Map<string, Host>();
  const addresses = new Map<string, string>();
  return {
    browserVersion: browser?.version(),
    webgpuMissing: gpu,
    hostFor({ place, runtime, threads }) {
      // A page's onnxruntime takes its number of threads once; Node's takes it by session, its WebAssembly has one thread.
      const key = place === "node" ? "node" : `${runtime} ${threads}`;
      const host = hosts.get(key) ?? (place === "node" ? child() : page());
      hosts.set(key, host);
      return host;
    },
    located(spec) {
      if (spec.place === "node") return spec;
      const address = addresses.get(spec.source) ?? server!.publish(spec.source);
      addresses.set(spec.source, address);
      return { ...spec, source: address };
    },
    fresh: ({ place }) => (place === "node" ? child() : page()),
    async close() {
      for (const host of hosts.values()) await host.close();
      await browser?.close();
      await server?.close();
    },
  };
}

async function findGpu(browser: Browser, url: string): Promise<string | undefined> {
  const connection = await connectToPage(browser, url);
  const { webgpu } = await connection.facts();
  await connection.end();
  if (!webgpu.available) return webgpu.reason;
  return webgpu.software ? `the adapter (${webgpu.adapter}) is software` : undefined;
}

async function coldStart(spec: TargetSpec, places: Places, { rule }: BenchOptions): Promise<Partial<TargetReport>> {
  const starts: Phases[] = [];
  let memory: Memory | undefined;
  for (let i = 0; i < rule.coldStarts; i++) {
    const host = places.fresh(spec);
    try {
      starts.push((await host.open(places.located(spec))).phases);
      memory = await host.memory();
    } finally {
      await host.close();
    }
  }
  return { coldStart: { starts, memory } };
}

async function measureLatency(
  entries: readonly Entry[],
  hostOf: (entry: Entry) => Host,
  { rule, seed, signal, onEvent }: BenchOptions,
  fail: (entry: Entry, error: unknown) => void,
  save: () => Promise<void>,
): Promise<void> {
  const joules = new Map<string, number>();
  const byId = new Map(entries.map((entry) => [entry.spec.id, entry]));
  const targets = entries.map((entry): Measurable => {
    const { id } = entry.spec;
    return {
      id,
      async block(milliseconds) {
        const before = await readJoules();
        const block = await hostOf(entry).block(id, milliseconds, 1);
        const after = await readJoules();
        // The counters start again at zero now and then: that block has nothing to say.
        if (before !== undefined && after !== undefined && after >= before)
          joules.set(id, (joules.get(id) ?? 0) + after - before);
        return block;
      },
    };
  });
  const sofar = new Map<string, Measurement>();
  // Summaries of many thousand samples take their time: they are made when they are written.
  const settle = async (): Promise<void> => {
    for (const [id, measurement] of sofar) {
      const entry = byId.get(id)!;
      entry.report = { ...entry.report, latency: latencyOf(measurement, joules.get(id)) };
    }
    await save();
  };
  let [blocks, saved] = [0, performance.now()];
  const expected = (entries.length * rule.milliseconds) / BLOCK_MILLISECONDS;
  await measureInterleaved(targets, {
    rule,
    seed,
    signal,
    blockMilliseconds: Math.min(BLOCK_MILLISECONDS, rule.milliseconds),
    patience: rule.patience,
    async onBlock({ id }, measurement) {
      sofar.set(id, measurement);
      if (measurement.error !== undefined) fail(byId.get(id)!, measurement.error);
      onEvent({ kind: "progress", what: "latency", done: Math.min(++blocks, expected), total: expected });
      if (performance.now() - saved < SAVE_MILLISECONDS) return;
      await settle();
      saved = performance.now();
    },
  });
  await settle();
}

function latencyOf({ blocks, invalid }: Measurement, joules: number | undefined): NonNullable<TargetReport["latency"]> {
  const counted = countedBlocks(blocks);
  const runs = blocks.reduce((sum, { samples, batch }) => sum + samples.length * batch, 0);
  const cpu = blocks.reduce((sum, { cpuMilliseconds }) => sum + (cpuMilliseconds ?? Number.NaN), 0);
  const perRun = Number.isNaN(cpu) || runs === 0 ? undefined : cpu / runs;
  return {
    blocks: [...blocks].map((block) => ({
      ...block,
      samples: [...block.samples],
      calibration: [...block.calibration],
    })),
    summary: counted.length > 0 ? summarize(counted.flatMap(({ samples }) => samples)) : undefined,
    invalid,
    cpuMillisecondsPerRun: perRun,
    energy: energyOf(joules, perRun, runs),
  };
}

async function offline({ spec, rowsPerCall }: Entry, host: Host): Promise<NonNullable<TargetReport["offline"]>> {
  const { samples } = await host.block(spec.id, OFFLINE_MILLISECONDS, rowsPerCall);
  return { rowsPerCall, samples, samplesPerSecond: (1000 * rowsPerCall) / summarize(samples).p50 };
}

async function sustained(
  { spec }: Entry,
  host: Host,
  seconds: number,
  signal: AbortSignal,
): Promise<NonNullable<TargetReport["sustained"]>> {
  const stretches = [];
  const stretch = Math.max(BLOCK_MILLISECONDS, (seconds * 1000) / 200);
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    signal.throwIfAborted();
    const block = await host.block(spec.id, stretch, 1);
    stretches.push({ ...block, at: elapsed / 1000 });
    elapsed += block.milliseconds;
  }
  return { seconds, ...compareStretches(stretches) };
}
