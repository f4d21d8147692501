/**
 * `@distillate/runtime-edge/worker`: for bundlers that place no worker by themselves, and for onnxruntime builds of one's own.
 * A worker's file imports it and an onnxruntime and calls {@link serveEngine}; `load(…, { worker })` starts it.
 */
export type { Onnxruntime } from "./backends/backend.ts";
export { serveEngine } from "./engine/serve.ts";
