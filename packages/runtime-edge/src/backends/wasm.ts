/** onnxruntime-web's plain WebAssembly build: the smallest and fastest to start, and the default. */
import type { Backend, Onnxruntime } from "./backend.ts";

export const wasm: Backend = {
  name: "wasm",
  provider: "wasm",
  // A test compares with the installed package.
  runtime: {
    path: "ort-wasm-simd-threaded.wasm",
    bytes: 14_239_897,
    sha256: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
  },
  // Written out: bundlers find files only where both arguments are literal.
  runtimeUrl: () => new URL("onnxruntime-web/ort-wasm-simd-threaded.wasm", import.meta.url),
  importRuntime: async () => (await import("onnxruntime-web/wasm")) as unknown as Onnxruntime,
  startWorker: () => new Worker(new URL("./wasm-worker.js", import.meta.url), { type: "module" }),
};
