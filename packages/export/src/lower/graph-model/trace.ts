/**
 * A GraphModel's values on their way into the graph.
 *
 * Every value says in which order its edge holds the axes that tfjs sees: images are channels first, and a Transpose of the model
 * only changes what the axes are called. Types, shapes and the numbers in small values are inferred as nodes are added, so that no
 * lowering computes them again.
 */
import type { Dim, DType, Edge, Node, Tensor, Value } from "../../graph.ts";
import { startInference } from "../../infer.ts";
import { type GraphBuilder, startGraph } from "../context.ts";

/** A value, as an edge of the graph and the order of its axes. */
export interface Traced {
  readonly edge: Edge;
  /** Axis `k` of the edge is axis `order[k]` of the tfjs tensor. */
  readonly order: readonly number[];
  /** Set where `[batch, n]` was flattened out of another order: the edge holds the values as an edge of this shape and order did. */
  readonly flattened?: { readonly shape: readonly Dim[]; readonly order: readonly number[] };
}

/** Collects nodes and knows what each edge is. */
export interface Tracer extends GraphBuilder {
  input(value: Value): Edge;
  typeOf(edge: Edge): DType;
  /** As the edge lies, not as tfjs sees it. */
  edgeShape(edge: Edge): readonly Dim[];
  /** The numbers and sizes that a small value is known to hold before the model runs. */
  contentsOf(edge: Edge): readonly Dim[] | undefined;
  /** A constant's tensor. */
  tensorOf(edge: Edge): Tensor | undefined;
  /** What a reshaped edge was before it got its shape, so that one that gets another does not pass through both. */
  readonly origins: Map<Edge, Edge>;
  /** What `make` made when it was asked for under this key before. */
  once(key: string, make: () => Edge): Edge;
}

/** Starts an empty graph that infers as it grows. */
export function startTrace(opset: number): Tracer {
  const builder = startGraph(opset);
  const inference = startInference();
  const tensors = new Map<Edge, Tensor>();
  const made = new Map<string, Edge>();
  const known = (edge: Edge): { readonly dtype: DType; readonly shape: readonly Dim[] } => {
    const typed = inference.typeOf(edge);
    if (typed === undefined) throw new Error(`nothing writes ${edge}`);
    return typed;
  };
  const infer = (node: Omit<Node, "domain">): void => void inference.node({ domain: "", ...node });
  return {
    ...builder,
    origins: new Map(),
    input(value) {
      const name = builder.reserve(value.name);
      inference.input({ ...value, name });
      return name;
    },
    add(op, wanted, inputs, attrs = {}) {
      const name = builder.add(op, wanted, inputs, attrs);
      infer({ op, name, inputs, attrs, outputs: [name] });
      return name;
    },
    addMany(op, name, inputs, attrs, outputs) {
      builder.addMany(op, name, inputs, attrs, outputs);
      infer({ op, name, inputs, attrs, outputs });
      return outputs;
    },
    constant(wanted, tensor) {
      const name = builder.constant(wanted, tensor);
      inference.constant(name, tensor);
      tensors.set(name, tensor);
      return name;
    },
    typeOf: (edge) => known(edge).dtype,
    edgeShape: (edge) => known(edge).shape,
    contentsOf: (edge) => inference.contentsOf(edge),
    tensorOf: (edge) => tensors.get(edge),
    once(key, make) {
      const edge = made.get(key) ?? make();
      made.set(key, edge);
      return edge;
    },
  };
}
