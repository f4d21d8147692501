/** Where a model can run. A backend is a record: which onnxruntime, which execution provider, which wasm file, which worker. */
import type { FileRef } from "@distillate/bundle";

/** The onnxruntime-web whose `.wasm` files the backends name; a test compares with the installed package. */
export const ONNXRUNTIME_VERSION = "1.30.0";

/** Names of the backends. */
export type BackendName = "wasm" | "webgpu" | "node";

/** The part of onnxruntime that all its packages share and that this package uses. */
export interface Onnxruntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: Record<string, unknown>): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OnnxTensor;
  readonly env: {
    readonly wasm: { numThreads?: number; wasmBinary?: Uint8Array | ArrayBuffer };
    readonly webgpu?: { readonly device?: Promise<{ readonly lost?: Promise<{ readonly message: string }> }> };
    readonly versions?: { readonly web?: string };
    logLevel?: string;
  };
}

export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data: ArrayBufferView;
  getData?(): Promise<ArrayBufferView>;
  dispose?(): void;
}

export interface OnnxSession {
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

/** One way to run models. */
export interface Backend {
  readonly name: BackendName;
  /** onnxruntime's name of the execution provider. */
  readonly provider: string;
  /** The WebAssembly file of the onnxruntime this package was made with; absent where it loads its own. */
  readonly runtime?: FileRef;
  /** Where bundlers put that file. */
  readonly runtimeUrl?: () => URL;
  /** onnxruntime itself, for the thread that calls. */
  readonly importRuntime: () => Promise<Onnxruntime>;
  /** A worker that serves an engine of this backend. */
  readonly startWorker?: () => Worker;
}
