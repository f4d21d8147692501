/**
 * `@distillate/runtime-edge/worker`: for bundlers that place no worker by themselves, and for onnxruntime builds of one's own.
 * A worker's file imports an onnxruntime and calls {@link serveEngine}; `load(…, { worker })` starts it.
 */
import type { Onnxruntime } from "./backends/backend.ts";
import { serveEngine as serve } from "./engine/serve.ts";

/**
 * Serves models to the page that started this worker. Call it once, in the worker's own file.
 *
 * @param onnxruntime the module `onnxruntime-web/wasm` or `onnxruntime-web/webgpu`, of the version this package depends on.
 */
export function serveEngine(onnxruntime: typeof import("onnxruntime-web/wasm")): void {
  serve(onnxruntime as unknown as Onnxruntime);
}
