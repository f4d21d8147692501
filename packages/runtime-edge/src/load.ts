/**
 * From an address to a model that runs, top to bottom: storage, source, the version that shall serve, a plan, and one try after
 * the other until one passes the bundle's self-test on this device.
 */
import { DistillateError, decodeProbe, isDistillateError, type Manifest, parseManifest } from "@distillate/bundle";
import type { BackendName } from "./backends/backend.ts";
import { BROWSER_BACKENDS } from "./backends/index.ts";
import { type Capabilities, capabilities } from "./capabilities.ts";
import { type DecodeImage, decodeInBrowser } from "./engine/decode-image.ts";
import type { Engine, EngineInput, EngineOutput } from "./engine/engine.ts";
import type { LoadProgress, OnEvent } from "./events.ts";
import { createFiles, type Files, isOffline } from "./files.ts";
import { createModel, type Model, type PlanReport } from "./model.ts";
import { type Candidate, type PlanWishes, planCandidates, type Refusal } from "./planner.ts";
import type { QueueOptions } from "./queue.ts";
import {
  activate,
  beginStart,
  confirmStart,
  firstRecord,
  isCrashLoop,
  type ModelRecord,
  readRecord,
  rollBack,
  writeRecord,
} from "./record.ts";
import { type SelfTestReport, selfTest } from "./self-test.ts";
import { verifySignature } from "./signature.ts";
import { openSource, type SourceInput } from "./source/open-source.ts";
import type { BundleSource } from "./source/source.ts";
import { type EngineParts, startEngine, type WorkerChoice } from "./start-engine.ts";
import { openStore } from "./store/open-store.ts";
import type { Store, StoreKind } from "./store/store.ts";
import { type RecyclePolicy, supervise } from "./supervisor.ts";
import { checkForUpdate } from "./update.ts";
import { compareVersions, RUNTIME_VERSION } from "./version.ts";

/** Choices of a load; each has a default that suits a page. */
export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly onEvent?: OnEvent;
  /** `auto` takes the first that passes its self-test; naming one rules the others out. */
  readonly backend?: BackendName | "auto";
  readonly variant?: PlanWishes["variant"];
  /** Threads of WebAssembly: 1 unless asked for; never more than the page may use. */
  readonly threads?: number | "auto";
  /** Tries all candidates and takes the fastest, once a device and model version. Downloads what it tries. */
  readonly calibrate?: boolean;
  readonly worker?: WorkerChoice;
  /** Directory of onnxruntime's `.wasm` files, where a bundler does not place them. */
  readonly assetsUrl?: string | URL;
  readonly store?: StoreKind | "auto";
  /** `manual` serves what the device has until `checkForUpdate`; `always` asks the address first at every load. */
  readonly update?: "manual" | "always";
  /** The owner's Ed25519 key, 32 bytes in base64: only a manifest that it signed is taken. */
  readonly publicKey?: string;
  readonly queue?: Partial<QueueOptions>;
  /** Milliseconds a call may take, waiting included, unless the call says otherwise. */
  readonly timeout?: number;
  /** Milliseconds after which a call under way counts as hung and its engine is replaced. */
  readonly watchdog?: number;
  /** Milliseconds in which an engine must start. */
  readonly startTimeout?: number;
  readonly recycle?: Partial<RecyclePolicy>;
  /** Passed to every `fetch`: headers, credentials. */
  readonly fetch?: RequestInit;
}

/** What differs between a page and Node. */
export interface Platform {
  readonly backends: EngineParts["backends"];
  readonly decode: DecodeImage;
  readonly capabilities: () => Promise<Capabilities>;
  readonly openStore: (preference: StoreKind | "auto", onEvent: OnEvent) => Promise<Store>;
  readonly openSource: (input: SourceInput, files: Files) => Promise<BundleSource>;
}

const BROWSER: Platform = { backends: BROWSER_BACKENDS, decode: decodeInBrowser, capabilities, openStore, openSource };

/**
 * Loads a model.
 *
 * @param source the address of a manifest.json, of its directory (ending in `/`) or of a `.zip`; or such an archive as File,
 * Blob or bytes; or the files of a bundle directory.
 * @throws DistillateError `manifest-invalid`, `bundle-incompatible`, `download-failed`, `got-html`, `file-corrupted`,
 * `signature-invalid`, or `no-backend` with all that was tried; the signal's reason when it is aborted.
 */
export function load(source: SourceInput, options: LoadOptions = {}): Promise<Model> {
  return loadOn(BROWSER, source, options);
}

/** {@link load} for any platform. */
export async function loadOn(platform: Platform, input: SourceInput, options: LoadOptions): Promise<Model> {
  const { onEvent = () => {}, onProgress = () => {}, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const store = await platform.openStore(options.store ?? "auto", onEvent);
  const files = createFiles({ store, onEvent, onProgress, init: options.fetch });
  const source = await platform.openSource(input, files);
  const loading = { platform, source, files, store, options, onEvent, signal };

  let record = await versionToServe(loading);
  for (;;) {
    const { manifest } = record;
    try {
      await save(store, record.state && beginStart(record.state));
      const device = await deviceKey(platform, manifest);
      const started = await startBest(loading, manifest, record.state?.choices[device]);
      await save(store, record.state && confirmStart(record.state, device, started.plan.chosen));
      return modelOf(loading, manifest, started);
    } catch (error) {
      // Only a page that died on the way counts as a start without an end.
      const saved = save(store, record.state);
      if (signal.aborted) throw error;
      await saved;
      // A version that cannot serve gives way to the one before; a broken connection is no reason.
      const older =
        isDistillateError(error) && error.code === "no-backend" && record.state && (await rollBack(record.state));
      if (!older) throw error;
      onEvent({ kind: "update", state: "rolled-back", semver: manifest.semver, message: (error as Error).message });
      await save(store, older);
      record = { state: older, manifest: parseManifest(older.current) };
    }
  }
}

interface Loading {
  readonly platform: Platform;
  readonly source: BundleSource;
  readonly files: Files;
  readonly store: Store;
  readonly options: LoadOptions;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

interface Serving {
  /** Absent for files at hand, which have no versions. */
  readonly state: ModelRecord | undefined;
  readonly manifest: Manifest;
}

/** The manifest that shall serve: the staged one, the one the device has, or the one at the source. */
async function versionToServe({ source, store, options, onEvent, signal, files }: Loading): Promise<Serving> {
  const fetched = async (): Promise<{ text: string; manifest: Manifest }> => readManifest(source, options, signal);
  const { url } = source;
  if (url === undefined) return { state: undefined, manifest: (await fetched()).manifest };

  const known = await readRecord(files.store, url);
  if (!known) {
    const { text, manifest } = await fetched();
    return { state: firstRecord(url, text, deviceBucket()), manifest };
  }
  if (isCrashLoop(known)) {
    const older = (await rollBack(known))!;
    onEvent({
      kind: "update",
      state: "rolled-back",
      semver: parseManifest(known.current).semver,
      message: `it did not come to a self-test in ${known.starts} loads`,
    });
    await save(store, older);
    return { state: older, manifest: parseManifest(older.current) };
  }
  const state = activate(known);
  if (state !== known) {
    await save(store, state);
    onEvent({ kind: "update", state: "activated", semver: parseManifest(state.current).semver });
  }
  if (options.update !== "always") return { state, manifest: parseManifest(state.current) };
  try {
    const { text, manifest } = await fetched();
    if (text === state.current) return { state, manifest };
    return { state: { ...state, current: text, previous: state.current, starts: 0 }, manifest };
  } catch (error) {
    if (!isOffline(error)) throw error;
    onEvent({ kind: "offline", url, message: error.message });
    return { state, manifest: parseManifest(state.current) };
  }
}

/** @throws DistillateError for a manifest that is invalid, not signed by the key, or made for a newer runtime. */
async function readManifest(
  source: BundleSource,
  { publicKey }: LoadOptions,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly manifest: Manifest }> {
  const text = await source.manifest(signal);
  if (publicKey !== undefined) await verifySignature(text, await source.signature(signal), publicKey);
  const manifest = parseManifest(text);
  const needed = manifest.requires?.runtime;
  if (needed !== undefined && compareVersions(needed, RUNTIME_VERSION) > 0) {
    throw new DistillateError({
      code: "bundle-incompatible",
      message: `${manifest.id} ${manifest.semver} needs @distillate/runtime-edge ${needed}, this is ${RUNTIME_VERSION}`,
      hint: "Update the app's @distillate/runtime-edge, or serve it an older version of the model.",
    });
  }
  return { text, manifest };
}

interface Started {
  readonly engine: Engine;
  readonly plan: PlanReport;
  readonly parts: EngineParts;
  readonly probe: (run: (input: EngineInput) => Promise<EngineOutput>) => Promise<SelfTestReport>;
}

/** Tries the candidates of the plan until one passes; with `calibrate`, all of them, and keeps the fastest. */
async function startBest(loading: Loading, manifest: Manifest, remembered: Candidate | undefined): Promise<Started> {
  const { platform, source, files, options, onEvent, signal } = loading;
  const parts: EngineParts = {
    backends: platform.backends,
    files,
    source,
    manifest,
    worker: options.worker ?? "module",
    assetsUrl: options.assetsUrl,
    decode: platform.decode,
    startTimeout: options.startTimeout ?? 60_000,
  };
  const wishes: PlanWishes = {
    backend: options.backend ?? "auto",
    variant: options.variant ?? "auto",
    threads: options.threads ?? 1,
    remembered,
  };
  const available = Object.keys(platform.backends) as BackendName[];
  const plan = planCandidates(manifest, await platform.capabilities(), available, wishes);
  const probe =
    manifest.probe && decodeProbe(await files.get(manifest.probe.file, source.origin(manifest.probe.file), signal));
  const refused: Refusal[] = [...plan.refused];
  let best: { engine: Engine; candidate: Candidate; report: SelfTestReport | undefined } | undefined;
  let lastError: unknown;

  for (const candidate of plan.candidates) {
    const { backend, variant } = candidate;
    const from = performance.now();
    let engine: Engine | undefined;
    try {
      engine = await startEngine(parts, candidate, signal);
      const report =
        probe && (await selfTest((input) => withinStart(engine!, input, signal), manifest, variant, probe));
      if (report && !report.ok) throw selfTestFailed(candidate, report);
      onEvent({ kind: "ready", backend, variant, milliseconds: performance.now() - from });
      if (best && !(report!.median < best.report!.median)) {
        refused.push({ backend, variant, reason: `slower: ${report!.median.toFixed(2)} ms a call` });
        await engine.dispose();
      } else {
        if (best) {
          refused.push({ ...best.candidate, reason: `slower: ${best.report!.median.toFixed(2)} ms a call` });
          await best.engine.dispose();
        }
        best = { engine, candidate, report };
      }
      if (!options.calibrate || remembered || !probe) break;
    } catch (error) {
      await engine?.dispose().catch(() => {});
      if (signal.aborted) {
        await best?.engine.dispose();
        throw signal.reason;
      }
      const { message } = error as Error;
      refused.push({ backend, variant, reason: message });
      onEvent({ kind: "attempt-failed", backend, variant, message });
      lastError = error;
    }
  }
  if (!best) throw noBackend(refused, lastError);
  const chosen = best.candidate;
  return {
    engine: best.engine,
    plan: { chosen, selfTest: best.report, refused },
    parts,
    probe: async (run) => {
      if (!probe) throw noProbe();
      return selfTest(run, manifest, chosen.variant, probe);
    },
  };
}

/** A self-test's call may take no longer than any other, and ends with the load. */
async function withinStart(engine: Engine, input: EngineInput, signal: AbortSignal): Promise<EngineOutput> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    void engine.lost.then(reject);
    engine
      .run(input)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function modelOf(loading: Loading, manifest: Manifest, { engine, plan, parts, probe }: Started): Model {
  const { platform, source, store, options, onEvent } = loading;
  const supervisor = supervise(engine, {
    start: (signal) => startEngine(parts, plan.chosen, signal),
    onEvent,
    watchdog: options.watchdog ?? 30_000,
    recycle: { runs: Number.POSITIVE_INFINITY, heapBytes: 1024 * 1024 * 1024, ...options.recycle },
  });
  return createModel({
    manifest,
    variant: manifest.variants.find(({ id }) => id === plan.chosen.variant)!,
    plan,
    supervisor,
    queue: { policy: "fifo", depth: 64, ...options.queue },
    timeout: options.timeout,
    onEvent,
    probe,
    capabilities: platform.capabilities,
    checkForUpdate: (signal = new AbortController().signal) =>
      checkForUpdate(
        {
          url: source.url,
          serving: manifest,
          store,
          onEvent,
          async fetchManifest(within) {
            const fresh = await platform.openSource(source.url!, loading.files);
            return readManifest(fresh, options, within);
          },
          async prove(next, within) {
            const { engine: trial } = await startBest({ ...loading, signal: within }, next, undefined);
            await trial.dispose();
          },
        },
        signal,
      ),
  });
}

async function save(store: Store, record: ModelRecord | undefined): Promise<void> {
  // Without room for it, the device forgets: nothing else depends on it.
  if (record) await writeRecord(store, record).catch(() => {});
}

/** Which device this is, as far as the choice of a backend goes. */
async function deviceKey(platform: Platform, { id, semver }: Manifest): Promise<string> {
  const { cores, threads, webgpu } = await platform.capabilities();
  const agent = globalThis.navigator?.userAgent ?? "";
  return [id, semver, agent, cores, threads.usable, webgpu.available ? webgpu.adapter : "no gpu"].join(" | ");
}

/** Drawn once a device and model; nothing that can be reproduced depends on it. */
function deviceBucket(): number {
  return globalThis.crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

function selfTestFailed({ backend, variant }: Candidate, { difference, tolerance }: SelfTestReport): DistillateError {
  return new DistillateError({
    code: "self-test-failed",
    message: `${backend} computes ${variant} wrongly here: off by ${difference}, allowed ${tolerance}`,
    hint: "Another backend or variant is tried by itself.",
  });
}

function noProbe(): DistillateError {
  return new DistillateError({
    code: "no-probe",
    message: "the bundle has no probe to test with",
    hint: "Make the bundle again with this version of distillate.",
  });
}

/** One way that failed is told as it is; several are listed. */
function noBackend(refused: readonly Refusal[], last: unknown): DistillateError {
  const tried = refused.map(({ backend, variant, reason }) => `${backend}${variant ? ` ${variant}` : ""}: ${reason}`);
  const { code, hint } = isDistillateError(last) ? (last as DistillateError) : { code: undefined, hint: undefined };
  const about = code === "got-html" || code === "file-corrupted" || code === "download-failed";
  return new DistillateError({
    code: about ? code! : "no-backend",
    message: `the model cannot run here. ${tried.join("; ") || "There was nothing to try."}`,
    hint: hint ?? "See `capabilities()`; without `backend` and `variant` all ways are tried.",
    cause: last,
  });
}
