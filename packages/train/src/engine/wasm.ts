/**
 * The embedded engine: tfjs-backend-wasm, made able to train by our own gradient kernels.
 *
 * Bit-identical from run to run: every sum is in a fixed order, however many threads share it (threads/pool.ts).
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
// Registers tfjs' own gradients, which ours complete.
import "@tensorflow/tfjs-layers";
import { fusesMultiplyAdd } from "./simd/fused-multiply-add.ts";
import { canShareMemory, isKnownModule } from "./simd/instantiate.ts";
import { shareMemory } from "./threads/share-memory.ts";
import { installWasmKernels, KERNELS_REVISION } from "./wasm-kernels/index.ts";

const SIMD = "tfjs-backend-wasm-simd.wasm";
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Makes the wasm backend the current one, gradients included, and returns its version and that of our kernels, with `.fma` where they
 * add products unrounded: a machine that does computes other last bits than one that does not.
 *
 * @throws DistillateError `engine-missing` when the backend cannot start here.
 */
export async function loadWasm(): Promise<string> {
  const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  const stock = await readFile(join(dirname(main), SIMD)).catch((error: Error) => {
    throw engineMissing(error.message);
  });
  // Once tfjs has begun, it tells nobody why it cannot go on.
  if (!isKnownModule(stock)) throw engineMissing("this Node has no WebAssembly with SIMD");
  const shared = canShareMemory() ? shareMemory(stock) : undefined;
  if (shared) wasm.setWasmPaths(everyName(shared), true);
  else wasm.setWasmPaths(join(dirname(main), "/"));
  const started = await keepingListeners(async () => tf.setBackend("wasm"));
  if (!started) throw engineMissing("tfjs-backend-wasm cannot be set up");
  await tf.ready();
  installWasmKernels();
  return `${wasm.version_wasm}+kernels.${KERNELS_REVISION}${fusesMultiplyAdd() ? ".fma" : ""}`;
}

function engineMissing(why: string): DistillateError {
  return new DistillateError({
    code: "engine-missing",
    message: `the wasm engine did not start: ${why}`,
    hint: "Use Node 20.19 or newer on a CPU with SSE4.1 or NEON, or another engine.",
  });
}

/** The binary under every name that the backend may ask for: which one it wants depends on more than SIMD. */
function everyName(binary: Uint8Array): Readonly<Record<string, string>> {
  const address = `data:application/wasm;base64,${Buffer.from(binary).toString("base64")}`;
  const names = [SIMD, "tfjs-backend-wasm.wasm", "tfjs-backend-wasm-threaded-simd.wasm"];
  return Object.fromEntries(names.map((name) => [name, address]));
}

/**
 * Runs a task and takes away the listeners it left on the process. Emscripten's start-up code adds two that rethrow: any
 * unrelated error would then end the process from inside its one-line source, all of which Node prints.
 */
async function keepingListeners<Result>(task: () => Promise<Result>): Promise<Result> {
  const before = EVENTS.map((event) => new Set(process.listeners(event as "uncaughtException")));
  try {
    return await task();
  } finally {
    for (const [index, event] of EVENTS.entries()) {
      for (const listener of process.listeners(event as "uncaughtException")) {
        if (!before[index]!.has(listener)) process.removeListener(event, listener);
      }
    }
  }
}
