/**
 * The native engines: tfjs-node and tfjs-node-gpu, where somebody installed them, in the project or in the cache directory of
 * `distillate engine install tensorflow`.
 */
import { existsSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import { DistillateError } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { cacheDirectory } from "../cache-directory.ts";
import { tensorflowBackend } from "./capture/binding.ts";
import { installTensorflowKernels, KERNELS_REVISION } from "./tensorflow-kernels/index.ts";

/** The packages that bring the backend. */
export type NativePackage = "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu";

/** Where `distillate engine install tensorflow` puts the engine: outside of any project. */
export function engineCacheDirectory(): string {
  return cacheDirectory("engines", "tensorflow");
}

/** Makes a native package the backend of this process and returns the version of its library and of our kernels; throws `engine-missing` when it isn't there, `engine-broken` when it does not load. */
export async function loadTensorflow(name: NativePackage): Promise<string> {
  const places = [import.meta.url, join(process.cwd(), "package.json"), join(engineCacheDirectory(), "package.json")];
  const load = places.map((place) => createRequire(place)).find((require) => resolves(require, name));
  if (load === undefined) throw missing(`${name} is not installed`);
  const library = join(load.resolve(`${name}/package.json`), "..", "deps", "lib");
  if (!existsSync(library)) throw missing(`${name} is there, but its native library was never built`);

  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  repairNodeUtil();
  const restore = shareTfjs();
  try {
    load(name);
  } catch (error) {
    throw broken(name, error);
  } finally {
    restore();
  }
  await tf.setBackend("tensorflow");
  await tf.ready();
  installTensorflowKernels();
  return `${tensorflowBackend()!.binding.TF_Version}+kernels.${KERNELS_REVISION}`;
}

function missing(message: string): DistillateError {
  return new DistillateError({
    code: "engine-missing",
    message,
    hint: "Use the engine wasm, which needs nothing installed, or install this package where the project finds it.",
  });
}

function broken(name: string, error: unknown): DistillateError {
  const said = error instanceof Error ? error.message : String(error);
  return new DistillateError({
    code: "engine-broken",
    message: `${name} is there, but does not load: ${said.split("\n")[0]}`,
    hint: "Build it anew with `distillate engine install tensorflow`, or use the engine wasm, which needs nothing installed.",
    cause: error,
  });
}

function resolves(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}

/** tfjs-node 4.22 calls two functions that Node 23 removed from `util`; the fix upstream is not released. */
function repairNodeUtil(): void {
  const removed = util as unknown as { isNullOrUndefined?: unknown; isArray?: unknown };
  removed.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  removed.isArray ??= Array.isArray;
}

/**
 * A native package brings its own copies of tfjs: its kernels must register with the core that we use, and a second copy of the layers
 * would take over the table of classes, load models into itself, and give two models of one process the same variables' names.
 */
const SHARED = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-layers", "@tensorflow/tfjs-converter"];

function shareTfjs(): () => void {
  const loader = Module as unknown as { _resolveFilename: (request: string, ...rest: unknown[]) => string };
  const original = loader._resolveFilename;
  const { resolve } = createRequire(import.meta.url);
  const ours = new Map(SHARED.map((name) => [name, resolve(name)] as const));
  loader._resolveFilename = (request, ...rest) => ours.get(request) ?? original.call(loader, request, ...rest);
  return () => {
    loader._resolveFilename = original;
  };
}
