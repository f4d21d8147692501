/**
 * The intermediate representation: an ONNX graph as readonly records, edges named by string, one opset for all nodes.
 *
 * A pass is a function `Graph -> Graph` that returns its argument itself when it changes nothing; nothing is mutated.
 * Building an index costs O(n) a pass, which is right below about 10,000 nodes and wrong for language-model-sized graphs.
 */

/** Element types the table of ops knows, by their ONNX names. */
export type DType = "float32" | "float16" | "uint8" | "int8" | "uint16" | "int16" | "int32" | "int64" | "bool";

/** A dimension: a size, or the name of a symbolic one (such as `"batch"`). */
export type Dim = number | string;

/** Little-endian, row-major data of a constant; `bytes` is shared between graphs and never written to. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The name of a value. `""` stands for an optional input or output that is left out. */
export type Edge = string;

/** JavaScript has one number type, so every attribute says its own kind. */
export type Attr =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor };

export type Attrs = { readonly [name: string]: Attr };

export interface Node {
  readonly op: string;
  /** `""` is the ONNX domain; `"com.microsoft"` onnxruntime's. */
  readonly domain: string;
  /** Unique in the graph; the source layer's name where there is one. */
  readonly name: string;
  readonly inputs: readonly Edge[];
  readonly outputs: readonly Edge[];
  readonly attrs: Attrs;
}

/** A typed and shaped edge. */
export interface Value {
  readonly name: Edge;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export interface Graph {
  readonly name: string;
  readonly opset: number;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<Edge, Tensor>;
  /** Type and shape of every intermediate edge, as inferred; empty before inference. */
  readonly values: ReadonlyMap<Edge, Value>;
}

/** A rewrite: pure, idempotent, and `pass(g) === g` when it has nothing to do. */
export type Pass = (graph: Graph) => Graph;

/** Named tensors that go into or come out of a model. */
export type Feeds = { readonly [name: string]: Tensor };

/** Loads a model and returns the function that runs it. Export is handed one: it imports no runtime itself. */
export type Runner = (onnx: Uint8Array, options?: RunnerOptions) => Promise<RunnableModel>;

export interface RunnerOptions {
  /** `"disabled"` runs the graph as written; `"all"` (the default) lets the runtime fuse. */
  readonly optimization?: "disabled" | "all";
}

export interface RunnableModel {
  run(feeds: Feeds): Promise<Feeds>;
  dispose(): Promise<void>;
}
