/** Threads whose main module is one of ours, from the compiled package and from its sources alike. */
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a thread.
 *
 * @param module - Its main module; see {@link moduleBeside}.
 */
export function startThread(module: URL, workerData: WorkerOptions["workerData"]): Worker {
  if (!module.pathname.endsWith(".ts")) return new Worker(module, { workerData });
  // Threads do not inherit what lets this one read TypeScript.
  const starter = new URL("./thread-from-source.mjs", import.meta.url);
  return new Worker(starter, { workerData, argv: [module.href], execArgv: ["--conditions=@distillate/source"] });
}

/** A module beside the one at `url`, by its name without an ending: in TypeScript where the sources run as they are. */
export function moduleBeside(url: string, name: string): URL {
  return new URL(`./${name}${url.endsWith(".ts") ? ".ts" : ".js"}`, url);
}
