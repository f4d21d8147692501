/**
 * From an address to a model that runs, top to bottom: storage, source, the version that shall serve, a plan, and one try after
 * the other until one passes the bundle's self-test on this device.
 */
import { DistillateError, decodeProbe, type Manifest } from "@distillate/bundle";
import type { BackendName } from "./backends/backend.ts";
import { BROWSER_BACKENDS } from "./backends/index.ts";
import { sweep } from "./cache.ts";
import { type Capabilities, capabilities } from "./capabilities.ts";
import { type DecodeImage, decodeInBrowser } from "./engine/decode-image.ts";
import type { LoadProgress, OnEvent, RuntimeEvent } from "./events.ts";
import { createFiles, type Files, isOffline } from "./files.ts";
import { createModel, type Model } from "./model.ts";
import { type Candidate, type PlanWishes, planCandidates } from "./planner.ts";
import type { QueueOptions } from "./queue.ts";
import {
  beginStart,
  changeRecord,
  confirmStart,
  endStart,
  firstRecord,
  isRejected,
  type ModelRecord,
  readRecord,
  rollBack,
  takeOver,
} from "./record.ts";
import { selfTest } from "./self-test.ts";
import { openSource, type SourceInput } from "./source/open-source.ts";
import type { BundleSource } from "./source/source.ts";
import { type Started, startAgain, startBest, type Trial } from "./start-best.ts";
import type { EngineParts, WorkerChoice } from "./start-engine.ts";
import { holdName } from "./store/locks.ts";
import { openStore } from "./store/open-store.ts";
import type { Store, StoreKind } from "./store/store.ts";
import { type RecyclePolicy, supervise } from "./supervisor.ts";
import { countEvents, type OnTelemetry, withTelemetry } from "./telemetry.ts";
import { checkForUpdate, type FoundVersion } from "./update.ts";
import { readManifest, type Version, versionOf, versionToServe } from "./version-to-serve.ts";

/** Choices of a load; each has a default that suits a page. */
export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly onEvent?: OnEvent;
  /** `auto` takes the first that passes its self-test; naming one rules the others out. */
  readonly backend?: BackendName | "auto";
  readonly variant?: PlanWishes["variant"];
  /** Threads of WebAssembly, never more than the page may use; `auto` takes 1 for models under 4 MiB. */
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
  /** Is given numbers, never inputs or results, when the page is hidden and when the model is disposed. Sends nothing itself. */
  readonly telemetry?: OnTelemetry;
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
  const { onProgress = () => {}, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const counter = countEvents(options.onEvent ?? (() => {}));
  const { onEvent } = counter;
  const store = await platform.openStore(options.store ?? "auto", onEvent);
  const files = createFiles({ store, onEvent, onProgress, init: options.fetch });
  const source = await platform.openSource(input, files);
  const loading: Loading = { platform, source, files, store, options, onEvent };
  const ask = options.update === "always";
  const version = await versionToServe({ source, store, publicKey: options.publicKey, ask, onEvent, signal });
  const model = await serveOrOther(loading, version, signal);
  return options.telemetry ? withTelemetry(model, options.telemetry, counter) : model;
}

/** Serves a version; where that fails, the one that is at the address now, or else the one that the device had before. */
async function serveOrOther(loading: Loading, version: Version, signal: AbortSignal): Promise<Model> {
  const { source, onEvent } = loading;
  try {
    return await serve(loading, version, undefined, signal);
  } catch (error) {
    const fresh = signal.aborted ? undefined : await versionNow(loading, version, signal);
    // An address that was deployed anew has the old version's files no more.
    const replaced =
      fresh && (await serve({ ...loading, source: fresh.source }, fresh, undefined, signal).catch(() => {}));
    if (replaced) {
      onEvent({ kind: "update", state: "activated", semver: fresh.manifest.semver, message: (error as Error).message });
      return replaced;
    }
    const older = signal.aborted ? undefined : await versionBefore(loading, version);
    if (!older) throw signal.aborted ? signal.reason : error;
    // A broken connection says nothing about a version: then the older one serves for now.
    const giveUp = !isOffline(error);
    // And it is given up only when the older one does work here: the page may be at fault as well.
    const model = await serve(loading, older, { of: version, giveUp }, signal).catch(() => undefined);
    if (!model) throw signal.aborted ? signal.reason : error;
    const { semver } = version.manifest;
    const { message } = error as Error;
    onEvent(giveUp ? { kind: "update", state: "rolled-back", semver, message } : offline(source, message));
    return model;
  }
}

/** What the address has, if that is another version than the one that failed. */
async function versionNow(
  { platform, source, files, store, options }: Loading,
  failed: Version,
  signal: AbortSignal,
): Promise<FoundVersion | undefined> {
  if (source.url === undefined) return undefined;
  try {
    const fresh = await platform.openSource(source.url, files);
    const version = await readManifest(fresh, options.publicKey, signal);
    const record = await readRecord(store, source.url);
    if (version.text === failed.text || (record && (await isRejected(record, version.text)))) return undefined;
    return { ...version, source: fresh };
  } catch {
    // The load's own error is the one to tell.
    return undefined;
  }
}

function offline({ name }: BundleSource, message: string): RuntimeEvent {
  return { kind: "offline", url: name, message };
}

interface Loading {
  readonly platform: Platform;
  readonly source: BundleSource;
  readonly files: Files;
  readonly store: Store;
  readonly options: LoadOptions;
  readonly onEvent: OnEvent;
}

/** What the device has beside a version that failed. */
async function versionBefore({ source, store, options }: Loading, { text }: Version): Promise<Version | undefined> {
  if (source.url === undefined) return undefined;
  const record = await readRecord(store, source.url);
  if (options.publicKey !== undefined && record?.signedBy !== options.publicKey) return undefined;
  const older = record?.current === text ? record.previous : record?.current;
  return older === undefined ? undefined : versionOf({ current: older });
}

/** Starts a version and makes it the one that serves; `instead` of a newer one, if that failed. */
async function serve(
  loading: Loading,
  version: Version,
  instead: { readonly of: Version; readonly giveUp: boolean } | undefined,
  signal: AbortSignal,
): Promise<Model> {
  const { platform, source, store, options, onEvent } = loading;
  const { text, manifest } = version;
  const { url } = source;
  const start = startName();
  let release = (): void => {};
  let begun = false;
  let switched = false;
  /** Versions are remembered by address; what is at hand has none. Without room the device forgets, and nothing else fails. */
  const remember = async (change: Parameters<typeof changeRecord>[2]): Promise<void> => {
    if (url === undefined) return;
    await changeRecord(store, url, change).catch((error: Error) =>
      onEvent({ kind: "store-full", store: store.kind, message: error.message }),
    );
  };
  const ours = (known: ModelRecord | undefined): ModelRecord => {
    const { publicKey } = options;
    const trusted = publicKey === undefined || known?.signedBy === publicKey ? known : undefined;
    return trusted ?? firstRecord(url!, text, known?.bucket ?? deviceBucket(), publicKey);
  };
  const beforeStart = async (): Promise<void> => {
    if (begun) return;
    begun = true;
    release = holdName(start);
    await remember((known) => {
      const record = ours(known);
      const served = instead ? record : takeOver(record, text);
      switched = served !== record;
      return instead ? record : beginStart(served, start);
    });
  };
  try {
    // Before there are files: what no record names is swept.
    await remember(ours);
    const device = deviceKey(manifest, options, await platform.capabilities());
    const remembered = url === undefined ? undefined : (await readRecord(store, url))?.choices[device];
    const trial = await trialOf(loading, manifest, remembered, signal, beforeStart);
    const started = await startBest(trial, signal);
    await remember(async (record) => {
      if (!record) return record;
      const given = instead?.giveUp && record.current === instead.of.text ? await rollBack(record) : undefined;
      switched ||= given !== undefined;
      return confirmStart(given ?? record, device, started.chosen);
    });
    if (switched) await sweep(store);
    return modelOf(loading, trial, started);
  } catch (error) {
    if (begun) await remember((record) => record && endStart(record, start));
    throw error;
  } finally {
    release();
  }
}

async function trialOf(
  { platform, source, files, options, onEvent }: Loading,
  manifest: Manifest,
  remembered: Candidate | undefined,
  signal: AbortSignal,
  beforeStart: () => Promise<void> = async () => {},
): Promise<Trial> {
  const { backend = "auto", variant = "auto", threads = "auto" } = options;
  const available = Object.keys(platform.backends) as BackendName[];
  const plan = planCandidates(manifest, await platform.capabilities(), available, {
    backend,
    variant,
    threads,
    remembered,
  });
  const file = manifest.probe?.file;
  return {
    plan,
    manifest,
    probe: file && decodeProbe(await files.get(file, source.origin(file), signal)),
    calibrate: options.calibrate === true && !remembered,
    onEvent,
    parts: {
      backends: platform.backends,
      files,
      source,
      manifest,
      worker: options.worker ?? "module",
      assetsUrl: options.assetsUrl,
      decode: platform.decode,
      startTimeout: options.startTimeout ?? 60_000,
      beforeStart,
    },
  };
}

function modelOf(loading: Loading, trial: Trial, first: Started): Model {
  const { platform, source, store, options, onEvent } = loading;
  const { manifest, probe } = trial;
  let serving = first;
  const supervisor = supervise(first.engine, {
    async start(signal) {
      serving = await startAgain(trial, serving, signal);
      return serving.engine;
    },
    onEvent,
    watchdog: options.watchdog ?? 30_000,
    recycle: { runs: Number.POSITIVE_INFINITY, heapBytes: 1024 * 1024 * 1024, ...options.recycle },
  });
  return createModel({
    manifest,
    serving: () => serving,
    supervisor,
    queue: { policy: "fifo", depth: 64, ...options.queue },
    timeout: options.timeout,
    onEvent,
    async probe(run) {
      if (!probe) throw noProbe();
      return selfTest(run, manifest, serving.chosen.variant, probe);
    },
    capabilities: platform.capabilities,
    checkForUpdate: (signal = new AbortController().signal) =>
      checkForUpdate(
        {
          url: source.url,
          serving: manifest,
          publicKey: options.publicKey,
          store,
          onEvent,
          async fetchVersion(within) {
            // Opened anew: an archive that was loaded still holds the files of its own version.
            const fresh = await platform.openSource(source.url!, loading.files);
            return { source: fresh, ...(await readManifest(fresh, options.publicKey, within)) };
          },
          async prove(next, within) {
            const trial = await trialOf({ ...loading, source: next.source }, next.manifest, undefined, within);
            const { engine } = await startBest(trial, within);
            await engine.dispose();
          },
        },
        signal,
      ),
  });
}

/** Which device this is, as far as the choice of a backend goes, and what was wished for. */
function deviceKey(
  { id, semver }: Manifest,
  { backend = "auto", variant = "auto", threads: wanted = "auto", calibrate = false }: LoadOptions,
  { cores, threads, webgpu }: Capabilities,
): string {
  const agent = globalThis.navigator?.userAgent ?? "";
  const facts = [agent, cores, threads.usable, webgpu.available ? webgpu.adapter : "no gpu"];
  return [id, semver, ...facts, backend, variant, wanted, calibrate ? "measured" : "in order"].join(" | ");
}

/** Drawn once a device and model; nothing that can be reproduced depends on it. */
function deviceBucket(): number {
  return globalThis.crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

/** A name that no other start has. */
function startName(): string {
  return `start/${[...globalThis.crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(16)).join("-")}`;
}

function noProbe(): DistillateError {
  return new DistillateError({
    code: "no-probe",
    message: "the bundle has no probe to test with",
    hint: "Make the bundle again with this version of distillate.",
  });
}
