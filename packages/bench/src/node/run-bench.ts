/** A whole benchmark, top to bottom: open all targets, compare their outputs, measure them in turns, then what needs them alone. */
import type { DeviceFacts } from "../device-protocol.ts";
import type { Host } from "../host.ts";
import { type Outputs, qualityOf } from "../quality.ts";
import type { BenchReport } from "../report/schema.ts";
import { sharedAmong } from "../stop-rule.ts";
import type { TargetSpec } from "../target.ts";
import { tinyResult, tinyTaskFor } from "../tiny.ts";
import { currentCommit, describeEnvironment, describeHeat } from "./environment.ts";
import { type FileSize, sizeOf } from "./file-size.ts";
import { measureLatency } from "./latency.ts";
import type { BenchOptions } from "./options.ts";
import { openPlaces, type Places } from "./places.ts";
import { profileModel } from "./profile.ts";
import { BenchRecord, type Entry } from "./record.ts";
import { runtimeSizes } from "./runtime-size.ts";
import { coldStart, offline, paced, sustained, tinyWindows } from "./scenarios.ts";

/** Runs it. Targets that fail are entries with a problem; the rest goes on. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { scenarios, signal } = options;
  const [facts, heat, commit] = await Promise.all([describeEnvironment(), describeHeat("before"), currentCommit()]);
  const environment: Record<string, string | number> = { ...facts, ...heat };
  const record = new BenchRecord(options, { rule: options.rule, commit, environment });

  const places = await openPlaces(options, (error) =>
    record.failAll(({ place }) => place === "chromium", error, "pages are not measured"),
  );
  if (places.browserVersion) environment.chromium = places.browserVersion;
  if (places.device) Object.assign(environment, deviceFacts(places.device));
  leaveOutWebgpu(record, places);
  const hostOf = ({ spec }: Entry): Host => places.hostFor(spec);

  try {
    const outputs = await openTargets(record, places);
    record.facts.rule = sharedAmong(options.rule, record.working.length);
    const { rule } = record.facts;

    if (scenarios.includes("cold-start")) {
      // A device's browser profile is its owner's: nothing of it is wiped for a measurement.
      await record.phase("cold start", async ({ spec }) =>
        spec.place === "page" ? {} : { coldStart: await coldStart(spec, places, rule.coldStarts) },
      );
    }
    if (scenarios.includes("runtime-size")) {
      record.facts.runtimes = await runtimeSizes(new Set(record.working.map(({ spec }) => spec.runtime)));
    }

    await takeLatency(record, places);
    for (const entry of record.working) {
      await record.attempt(entry, async () => ({ growth: await hostOf(entry).growth(entry.spec.id) }));
    }

    if (scenarios.includes("offline")) {
      await record.phase("throughput", async (entry) => ({
        offline: await offline(entry.spec.id, hostOf(entry), entry.rowsPerCall),
      }));
    }
    if (scenarios.includes("paced")) {
      const { framesPerSecond } = options;
      await record.phase(`${framesPerSecond} frames a second`, async (entry) => ({
        paced: await paced(entry.spec.id, hostOf(entry), framesPerSecond, rule.milliseconds),
      }));
    }
    if (scenarios.includes("sustained")) {
      await record.phase("sustained", async (entry) => ({
        sustained: await sustained(entry.spec.id, hostOf(entry), options.sustainedSeconds, signal),
      }));
    }
    if (scenarios.includes("profile")) {
      for (const entry of record.working.filter(({ spec }) => spec.runtime === "onnxruntime-node")) {
        await record.attempt(entry, async () => ({ profile: await profileModel(entry.spec.source, options.inputs) }));
      }
    }
    if (scenarios.includes("tiny")) await takeTinyWindows(record, places, outputs);

    Object.assign(environment, await describeHeat("after"));
    return await record.save();
  } finally {
    await places.close();
  }
}

/** WebGPU on no adapter, or on one in software, says nothing of a graphics card. */
function leaveOutWebgpu(record: BenchRecord, { webgpuMissing, device }: Places): void {
  const isWebgpu = ({ runtime }: TargetSpec): boolean => runtime === "onnxruntime-web-webgpu";
  if (record.options.webgpuOnHardwareOnly && webgpuMissing !== undefined) {
    const message = `WebGPU was not measured: ${webgpuMissing}`;
    record.leaveOut((spec) => isWebgpu(spec) && spec.place !== "page", "webgpu-missing", message);
  }
  if (device && "reason" in device.webgpu) {
    const message = `WebGPU was not measured on the device: ${device.webgpu.reason}`;
    record.leaveOut((spec) => isWebgpu(spec) && spec.place === "page", "webgpu-missing", message);
  }
}

/** Opens all targets and takes their outputs, which say how good they are. Nothing is timed: every place opens its own at once. */
async function openTargets(record: BenchRecord, places: Places): Promise<ReadonlyMap<string, Outputs>> {
  const { inputs, labels, reference } = record.options;
  const outputs = new Map<string, Outputs>();
  const sizes = new Map<string, FileSize>();
  const sized = async (path: string): Promise<FileSize> => {
    const size = sizes.get(path) ?? (await sizeOf(path));
    sizes.set(path, size);
    return size;
  };
  const { working } = record;
  const hosts = new Set(working.map(({ spec }) => places.hostFor(spec)));
  await Promise.all(
    [...hosts].map((host) => {
      const own = working.filter(({ spec }) => places.hostFor(spec) === host);
      return record.inTurn("opening", own, async (entry) => {
        const { spec } = entry;
        const { resolution, details, rowsPerCall } = await host.open(places.located(spec));
        entry.rowsPerCall = rowsPerCall;
        const size = spec.source.endsWith(".onnx") ? { size: await sized(spec.source) } : {};
        outputs.set(spec.id, { id: spec.id, values: await host.outputs(spec.id, inputs.samples) });
        return { resolution, details, ...size };
      });
    }),
  );
  const compared = outputs.get(reference ?? "") ?? [...outputs.values()][0];
  for (const entry of record.working) {
    const quality = qualityOf(outputs.get(entry.spec.id)!, inputs.samples, labels, compared);
    entry.report = { ...entry.report, quality };
  }
  await record.save();
  return outputs;
}

async function takeLatency(record: BenchRecord, places: Places): Promise<void> {
  const { seed, signal, onEvent } = record.options;
  onEvent({ kind: "phase", what: `latency of ${record.working.length} targets in turns` });
  await measureLatency(
    record.working.map(({ spec }) => spec.id),
    (id) => places.hostFor(record.entry(id).spec),
    {
      rule: record.facts.rule,
      seed,
      signal,
      onFailure: (id, error) => record.fail(record.entry(id), error),
      onProgress: (done, total) => onEvent({ kind: "progress", what: "latency", done, total }),
      async onResults(results) {
        for (const [id, latency] of results) {
          const entry = record.entry(id);
          entry.report = { ...entry.report, latency };
        }
        await record.save();
      },
    },
  );
}

async function takeTinyWindows(
  record: BenchRecord,
  places: Places,
  outputs: ReadonlyMap<string, Outputs>,
): Promise<void> {
  const { inputs, signal } = record.options;
  const [first] = outputs.values();
  const values = (first?.values.length ?? 0) / inputs.samples;
  const { row } = inputs.tensors[0]!;
  const task = tinyTaskFor(row, values);
  if (!task) {
    record.note("no-tiny-task", `this model, from [${row}] to ${values} values, is none of MLPerf Tiny's`);
    return;
  }
  await record.phase("MLPerf Tiny's windows", async ({ spec, report }) => ({
    tiny: tinyResult(task, await tinyWindows(spec.id, places.hostFor(spec), signal), report.quality?.accuracy),
  }));
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
