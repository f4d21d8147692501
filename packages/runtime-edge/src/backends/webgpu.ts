/** onnxruntime-web's native WebGPU build: imported and downloaded only when it is chosen. */
import type { Backend, Onnxruntime } from "./backend.ts";

export const webgpu: Backend = {
  name: "webgpu",
  provider: "webgpu",
  // A test compares with the installed package.
  runtime: {
    path: "ort-wasm-simd-threaded.asyncify.wasm",
    bytes: 26_781_914,
    sha256: "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
  },
  runtimeUrl: () => new URL("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm", import.meta.url),
  importRuntime: async () => (await import("onnxruntime-web/webgpu")) as unknown as Onnxruntime,
  startWorker: () => new Worker(new URL("./webgpu-worker.js", import.meta.url), { type: "module" }),
};
