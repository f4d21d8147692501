/** From a candidate to a running engine: its files first, then a worker or this thread. */
import { DistillateError, type Manifest } from "@distillate/bundle";
import type { Backend } from "./backends/backend.ts";
import { nextTask } from "./breathe.ts";
import type { DecodeImage } from "./engine/decode-image.ts";
import type { Engine, EngineSetup } from "./engine/engine.ts";
import { openSession } from "./engine/open-session.ts";
import { openInWorker } from "./engine/worker-engine.ts";
import type { Files } from "./files.ts";
import { startInline } from "./inline-worker.ts";
import { orAborted } from "./or-aborted.ts";
import type { Candidate } from "./planner.ts";
import { createSharedWork } from "./shared-work.ts";
import type { BundleSource } from "./source/source.ts";
import { after } from "./timer.ts";

/**
 * Where an engine runs: in a worker of this package; in one started from a blob, for pages whose scripts come from another
 * origin; in the calling thread; or in a worker that the caller starts.
 */
export type WorkerChoice = "module" | "inline" | "main-thread" | ((backend: Backend["name"]) => Worker);

/** What all engines of one model share. */
export interface EngineParts {
  readonly backends: { readonly [Name in Backend["name"]]?: Backend };
  readonly files: Files;
  readonly source: BundleSource;
  readonly manifest: Manifest;
  readonly worker: WorkerChoice;
  readonly assetsUrl: string | URL | undefined;
  readonly decode: DecodeImage;
  /** Milliseconds in which a runtime must have started. */
  readonly startTimeout: number;
  /** Called when the files are there and what may take the page down begins. */
  readonly beforeStart?: () => Promise<void>;
}

/** Compiled once a page; every worker after the first starts from it. */
const compiled = new Map<string, WebAssembly.Module>();
const compiling = createSharedWork<WebAssembly.Module>();

/** Backends whose onnxruntime runs in this thread already: it takes its file once. */
const startedHere = new Set<Backend["name"]>();

/** Threads that have not come up by now hang (onnxruntime#11679); one thread is tried next. */
const THREADS_PATIENCE = 10_000;

/** @throws DistillateError of the file that is missing, or `backend-unavailable`, `worker-failed`, `start-timeout`. */
export async function startEngine(parts: EngineParts, candidate: Candidate, signal: AbortSignal): Promise<Engine> {
  const { backends, files, source, manifest, worker } = parts;
  const backend = backends[candidate.backend]!;
  const variant = manifest.variants.find(({ id }) => id === candidate.variant)!;
  const inWorker = worker !== "main-thread" && backend.startWorker !== undefined;
  const needed = backend.runtime !== undefined && (inWorker || !startedHere.has(backend.name));
  const runtime = needed ? await obtainRuntime(parts, backend, inWorker, signal) : undefined;
  const model = await files.get(variant.file, source.origin(variant.file), signal);
  const { inputs, outputs, preprocess } = manifest;
  const setup: EngineSetup = {
    backend: backend.name,
    provider: backend.provider,
    threads: candidate.threads,
    model,
    contract: { inputs, outputs, preprocess },
    ...(runtime ? { runtime } : {}),
  };
  await parts.beforeStart?.();
  signal.throwIfAborted();
  const limit = candidate.threads > 1 ? Math.min(parts.startTimeout, THREADS_PATIENCE) : parts.startTimeout;
  const patience = new AbortController();
  const cancel = after(limit, () => patience.abort(startTimedOut(backend.name, limit)));
  const onAbort = (): void => patience.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (inWorker) return await openInWorker(workerStarter(worker, backend), setup, patience.signal);
    const opening = openSession(backend.importRuntime, setup, parts.decode);
    // Nothing stops it in this thread; what comes too late is let go of.
    patience.signal.addEventListener("abort", () => void opening.then((late) => late.dispose()).catch(() => {}));
    const engine = await orAborted(opening, patience.signal);
    startedHere.add(backend.name);
    return engine;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

async function obtainRuntime(
  { files, assetsUrl }: EngineParts,
  { runtime, runtimeUrl }: Backend,
  compile: boolean,
  signal: AbortSignal,
): Promise<WebAssembly.Module | Uint8Array> {
  const { path, sha256 } = runtime!;
  const url = assetsUrl === undefined ? runtimeUrl!() : new URL(path, new URL(assetsUrl, globalThis.location?.href));
  const bytes = (within: AbortSignal): Promise<Uint8Array> => files.get(runtime!, { url: url.href }, within);
  if (!compile) return bytes(signal);
  const known = compiled.get(sha256);
  if (known) return known;
  const compileOnce = async (within: AbortSignal): Promise<WebAssembly.Module> => {
    const whole = (await bytes(within)) as Uint8Array<ArrayBuffer>;
    // It was hashed just now, and compiling begins with a copy.
    await nextTask();
    const module = await WebAssembly.compile(whole);
    compiled.set(sha256, module);
    return module;
  };
  return compiling.join(sha256, compileOnce, signal);
}

function workerStarter(worker: WorkerChoice, backend: Backend): () => Worker {
  if (typeof worker === "function") return () => worker(backend.name);
  return worker === "inline" ? () => startInline(backend.startWorker!) : backend.startWorker!;
}

function startTimedOut(backend: string, milliseconds: number): DistillateError {
  return new DistillateError({
    code: "start-timeout",
    message: `${backend} did not start within ${milliseconds} ms`,
    hint: "Raise `startTimeout` for very slow devices; with `threads`, try 1.",
  });
}
