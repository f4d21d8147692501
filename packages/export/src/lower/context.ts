import { DistillateError } from "@distillate/bundle";
import type { Attrs, Edge, Node, Tensor, Value } from "../graph.ts";

/**
 * A tfjs tensor on its way into the graph. The whole graph is NCHW from its input on: what tfjs calls `[h, w, c]` is an edge
 * `[batch, c, h, w]`, and no Transpose is ever needed between layers.
 */
export interface Lowered {
  readonly edge: Edge;
  /** As tfjs sees it, without the batch: `[h, w, c]` or `[n]`. */
  readonly shape: readonly number[];
  /** Set when `[n]` was flattened from `[h, w, c]`: the edge holds the values in the order c, h, w. */
  readonly flattenedFrom?: readonly [number, number, number];
}

/** A layer of the model's JSON: its class, its configuration (keys in snake case), and its weights by their short name. */
export interface LayerSource {
  readonly className: string;
  readonly name: string;
  readonly config: { readonly [key: string]: unknown };
  weight(name: string): { readonly values: Float32Array; readonly shape: readonly number[] };
}

/** Collects nodes and constants while layers are lowered. */
export interface GraphBuilder {
  /** Adds a node and returns its output, an edge named after the node. `shape` is what the edge holds, without the batch. */
  add(op: string, name: string, inputs: readonly Edge[], attrs: Attrs, shape: readonly number[]): Edge;
  constant(name: string, tensor: Tensor): Edge;
  finish(): {
    readonly nodes: readonly Node[];
    readonly constants: ReadonlyMap<Edge, Tensor>;
    readonly values: ReadonlyMap<Edge, Value>;
  };
}

/** How one kind of layer becomes nodes. */
export type Lowering = (layer: LayerSource, inputs: readonly Lowered[], builder: GraphBuilder) => Lowered;

/** Starts an empty graph. */
export function startGraph(batch: string | number): GraphBuilder {
  const nodes: Node[] = [];
  const constants = new Map<Edge, Tensor>();
  const values = new Map<Edge, Value>();
  return {
    add(op, name, inputs, attrs, shape) {
      nodes.push({ op, domain: "", name, inputs, outputs: [name], attrs });
      values.set(name, { name, dtype: "float32", shape: [batch, ...shape] });
      return name;
    },
    constant(name, tensor) {
      constants.set(name, tensor);
      return name;
    },
    finish: () => ({ nodes, constants, values }),
  };
}

/** The error for what cannot be expressed, thrown before anything is written. */
export function unsupported(
  layer: Pick<LayerSource, "className" | "name">,
  reason: string,
  hint: string,
): DistillateError {
  return new DistillateError({
    code: "layer-unsupported",
    message: `layer ${layer.name} (${layer.className}) cannot be exported: ${reason}`,
    hint,
  });
}
