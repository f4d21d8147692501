/** The page's side: an engine that lives in a worker. Ending the worker is the one way to stop WebAssembly. */
import { DistillateError } from "@distillate/bundle";
import type { Engine, EngineOpened, EngineOutput, EngineSetup } from "./engine.ts";
import { fromPlainError, type Reply, type Request } from "./protocol.ts";

interface Waiting {
  readonly resolve: (value: EngineOpened | EngineOutput) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts a worker and opens an engine in it. Nothing is transferred: an engine that is replaced needs the model again, and a call
 * that is made again its input.
 *
 * @throws DistillateError `worker-failed`, or what opening throws. An aborted signal ends the worker and throws its reason.
 */
export async function openInWorker(
  startWorker: () => Worker,
  setup: EngineSetup,
  signal: AbortSignal,
): Promise<Engine> {
  signal.throwIfAborted();
  const worker = startWorker();
  const waiting = new Map<number, Waiting>();
  let loose: (error: Error) => void = () => {};
  const lost = new Promise<Error>((resolve) => {
    loose = resolve;
  });
  let hear = (): void => {};
  let refuse: (error: Error) => void = () => {};
  const listening = new Promise<void>((resolve, reject) => {
    hear = resolve;
    refuse = reject;
  });
  let next = 0;
  let dead: Error | undefined;

  const end = (error: Error): void => {
    if (dead) return;
    dead = error;
    worker.terminate();
    refuse(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const die = (error: Error): void => {
    end(error);
    loose(error);
  };
  worker.onerror = (event) => die(workerFailed(event.message));
  worker.onmessageerror = () => die(workerFailed("a message could not be read"));
  worker.onmessage = ({ data }: MessageEvent<Reply>) => {
    if ("listening" in data) return hear();
    if ("lost" in data) return die(fromPlainError(data.lost));
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.ok) call?.resolve(data.value);
    else call?.reject(fromPlainError(data.error));
  };
  const ask = <Value extends EngineOpened | EngineOutput>(
    request: Request extends infer Each ? (Each extends Request ? Omit<Each, "id"> : never) : never,
  ): Promise<Value> =>
    new Promise<EngineOpened | EngineOutput>((resolve, reject) => {
      if (dead) return reject(dead);
      const id = next++;
      waiting.set(id, { resolve, reject });
      try {
        worker.postMessage({ id, ...request });
      } catch (cause) {
        waiting.delete(id);
        reject(notCloneable(cause));
      }
    }) as Promise<Value>;

  const onAbort = (): void => end(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await listening;
    const opened = await ask<EngineOpened>({ kind: "open", setup });
    return {
      opened,
      interruptible: true,
      lost,
      run: (input) => ask<EngineOutput>({ kind: "run", input }),
      dispose: async () => end(disposed()),
    };
  } catch (error) {
    end(error as Error);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function workerFailed(message: string | undefined): DistillateError {
  return new DistillateError({
    code: "worker-failed",
    message: `the model's worker stopped: ${message || "its file could not be loaded or its thread died"}`,
    hint: "See that the page may start workers of its own origin (CSP `worker-src 'self'`), or pass `worker: \"main-thread\"`.",
  });
}

function disposed(): DistillateError {
  return new DistillateError({
    code: "engine-ended",
    message: "the engine was ended while it worked",
    hint: "Call again; a fresh engine is started.",
  });
}

function notCloneable(cause: unknown): DistillateError {
  return new DistillateError({
    code: "input-unsupported",
    message: `the input cannot be handed to the worker: ${(cause as Error).message}`,
    hint: "Pictures of another origin need `crossorigin` and CORS headers; a closed ImageBitmap cannot be read any more.",
    cause,
  });
}
