/** What is measured: one model in one runtime at one place, given the same inputs as all others. */

/** Element types of inputs, as onnxruntime names them. */
export const INPUT_ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;
/** Name of an element type. */
export type InputType = keyof typeof INPUT_ARRAYS;
/** Values of an input. */
export type InputArray = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

/** One input of a model over all samples. */
export interface InputTensor {
  readonly name: string;
  readonly dtype: InputType;
  /** Dimensions of one sample, the batch not among them. */
  readonly row: readonly number[];
  /** Sample after sample. */
  readonly data: InputArray;
}

/** What all targets compute on. */
export interface InputSet {
  readonly samples: number;
  readonly tensors: readonly InputTensor[];
}

/** How to open a target; it crosses processes as JSON. */
export interface TargetSpec {
  /** Names it everywhere: unique in a report. */
  readonly id: string;
  /** What it is: `fp32`, `int8`, `teacher`, the name of a file. */
  readonly model: string;
  /** A runtime the host knows, or the address of a module that exports `openTarget`. */
  readonly runtime: string;
  readonly place: "node" | "chromium" | "page";
  readonly threads: number;
  /** Path or address of the model. */
  readonly source: string;
}

/** Milliseconds of the ways to a first result; a phase that a runtime doesn't have is absent. */
export interface Phases {
  /** Import of the runtime, and in a page the fetch of its WebAssembly. */
  readonly runtime?: number | undefined;
  /** WebAssembly to machine code, and its start. */
  readonly compile?: number | undefined;
  /** Reading or fetching the model's bytes. */
  readonly model?: number | undefined;
  readonly session?: number | undefined;
  readonly firstRun?: number | undefined;
}

/** A target that runs. */
export interface OpenTarget {
  readonly phases: Phases;
  /** Samples that one call may take; 1 where the model's batch is fixed. */
  readonly rowsPerCall: number;
  /** More about where it runs, such as the name of a graphics adapter. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** Tensors that its runtime holds, where it counts them. */
  tensors?(): number;
  /** Makes ready what a call on samples `first` to `first + rows - 1` needs, outside the time that is taken. */
  prepare(first: number, rows: number): () => Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens a target on an input set. */
export type Opener = (spec: TargetSpec, inputs: InputSet) => Promise<OpenTarget>;
