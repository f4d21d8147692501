/** What a page fetches to run models, as the makers of onnxruntime-web ship it. */
export const WEB_RUNTIME_FILES = {
  wasm: { script: "ort.wasm.bundle.min.mjs", binary: "ort-wasm-simd-threaded.wasm" },
  webgpu: { script: "ort.webgpu.bundle.min.mjs", binary: "ort-wasm-simd-threaded.asyncify.wasm" },
} as const;
