/** An engine holds one session of one model file on one backend, in a worker or in the calling thread. */
import type { Manifest, Pixels } from "@distillate/bundle";
import type { BackendName } from "../backends/backend.ts";

/** What an engine is opened with. */
export interface EngineSetup {
  readonly backend: BackendName;
  readonly provider: string;
  readonly threads: number;
  /** The runtime's WebAssembly, compiled or as bytes; absent where onnxruntime loads its own. */
  readonly runtime?: WebAssembly.Module | Uint8Array;
  readonly model: Uint8Array;
  readonly contract: EngineContract;
}

/** The part of a manifest that turns input into tensors. */
export type EngineContract = Pick<Manifest, "inputs" | "outputs" | "preprocess">;

/** Values of one tensor, rows of the batch first. */
export interface TensorValues {
  readonly data: Float32Array | Int32Array | Uint8Array | Int8Array | BigInt64Array;
  readonly dims: readonly number[];
}

/** A picture on its way into an engine: decoded, or as the file it came in. */
export type EngineImage =
  | { readonly kind: "pixels"; readonly pixels: Pixels }
  | { readonly kind: "bitmap"; readonly bitmap: ImageBitmap }
  | { readonly kind: "encoded"; readonly bytes: Blob | Uint8Array };

/** What one call computes on: ready tensors, or pictures to be prepared as the manifest says. */
export type EngineInput =
  | { readonly kind: "tensors"; readonly tensors: Readonly<Record<string, TensorValues>> }
  | { readonly kind: "images"; readonly images: readonly EngineImage[] };

/** What one call returns. */
export interface EngineOutput {
  readonly outputs: Readonly<Record<string, TensorValues>>;
  readonly milliseconds: { readonly prepare: number; readonly run: number };
  /** Size of the WebAssembly memory, where it can be seen. */
  readonly heapBytes?: number;
}

/** What opening took. */
export interface EngineOpened {
  readonly milliseconds: { readonly runtime: number; readonly session: number };
}

/** A running engine. One call at a time; the queue sees to it. */
export interface Engine {
  readonly opened: EngineOpened;
  /** Whether {@link Engine.dispose} stops a call that is under way. */
  readonly interruptible: boolean;
  run(input: EngineInput): Promise<EngineOutput>;
  /** Resolves with the reason when the engine dies by itself. */
  readonly lost: Promise<Error>;
  dispose(): Promise<void>;
}
