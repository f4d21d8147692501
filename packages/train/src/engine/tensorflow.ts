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

/** Makes a native package the backend of this process and returns the version of its library and of our kernels; throws `engine-missing` when it isn't there. */
export async function loadTensorflow(name: NativePackage): Promise<string> {
  const places = [import.meta.url, join(process.cwd(), "package.json"), join(engineCacheDirectory(), "package.json")];
  const load = places.map((place) => createRequire(place)).find((require) => resolves(require, name));
  if (load === undefined) throw missing(`${name} is not installed`);
  const library = join(load.resolve(`${name}/package.json`), "..", "deps", "lib");
  if (!existsSync(library)) throw missing(`${name} is there, but its native library was never built`);

  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  repairNodeUtil();
  const restore = shareCore();
  try {
    load(name);
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

/** A native package brings its own copy of tfjs-core; its kernels must register with the copy that we use. */
function shareCore(): () => void {
  const loader = Module as unknown as { _resolveFilename: (request: string, ...rest: unknown[]) => string };
  const original = loader._resolveFilename;
  const ours = createRequire(import.meta.url).resolve("@tensorflow/tfjs-core");
  loader._resolveFilename = (request, ...rest) =>
    request === "@tensorflow/tfjs-core" ? ours : original.call(loader, request, ...rest);
  return () => {
    loader._resolveFilename = original;
  };
}
