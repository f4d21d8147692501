import type { Backend, BackendName } from "./backend.ts";
import { wasm } from "./wasm.ts";
import { webgpu } from "./webgpu.ts";

/** The backends of a page. `node` joins them in the `/node` entry, so that no bundler looks for onnxruntime-node. */
export const BROWSER_BACKENDS: { readonly [Name in BackendName]?: Backend } = { wasm, webgpu };
