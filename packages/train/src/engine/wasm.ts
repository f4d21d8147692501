/**
 * The embedded engine: tfjs-backend-wasm, made able to train by our own gradient kernels.
 *
 * Bit-identical from run to run: one thread, and every sum in a fixed order.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
// Registers tfjs' own gradients, which ours complete.
import "@tensorflow/tfjs-layers";
import { fusesMultiplyAdd } from "./simd/fused-multiply-add.ts";
import { installWasmKernels, KERNELS_REVISION } from "./wasm-kernels/index.ts";

const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Makes the wasm backend the current one, gradients included, and returns its version and that of our kernels, with `.fma` where they
 * add products unrounded: a machine that does computes other last bits than one that does not.
 *
 * @throws DistillateError `engine-missing` when the backend cannot start here.
 */
export async function loadWasm(): Promise<string> {
  const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(join(dirname(main), "/"));
  const started = await keepingListeners(async () => tf.setBackend("wasm"));
  if (!started) {
    throw new DistillateError({
      code: "engine-missing",
      message: "the wasm engine did not start: this Node has no WebAssembly with SIMD",
      hint: "Use Node 20.19 or newer on a CPU with SSE4.1 or NEON, or another engine.",
    });
  }
  await tf.ready();
  installWasmKernels();
  return `${wasm.version_wasm}+kernels.${KERNELS_REVISION}${fusesMultiplyAdd() ? ".fma" : ""}`;
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
