import { DistillateError } from "@distillate/bundle";
import type { Attrs, Edge, Graph, Node, Tensor } from "../graph.ts";

/** How a model is lowered. */
export interface LowerOptions {
  readonly name: string;
  readonly opset: number;
  readonly batch: string | number;
}

/** A lowered model. */
export interface LoweredModel {
  readonly graph: Graph;
  /** Inputs and outputs that lie as [batch, c, h, w] where tfjs has [batch, h, w, c]. */
  readonly images: readonly Edge[];
}

/**
 * A tfjs tensor on its way into the graph, with a tag that says how its edge lies. Images are channels first from the model's
 * input on, and no layer puts a Transpose between; what needs another order asks `layout.ts` for it.
 */
export interface Lowered {
  readonly edge: Edge;
  /** As tfjs sees it, without the batch: `[h, w, c]` or `[n]`. */
  readonly shape: readonly number[];
  /** `"tfjs"`: the edge's axes are those of `shape`. `"channelsFirst"`: the last axis of `shape` comes first. */
  readonly layout: "tfjs" | "channelsFirst";
  /**
   * Set where `[n]` was flattened from a channels-first value: the edge holds the values in that order. `edge` is what the flattening
   * itself made; an activation behind it has made another of it.
   */
  readonly flattened?: { readonly source: Lowered; readonly edge: Edge };
  /** Set where tfjs carries a mask beside the values; layers that would read it refuse. */
  readonly masked?: boolean;
}

/** A layer's weight. */
export interface Weight {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** A layer of the model's JSON: its class, its configuration (keys in snake case), and its weights by their short name. */
export interface LayerSource {
  readonly className: string;
  /** Unique among all calls of all layers. */
  readonly name: string;
  readonly config: { readonly [key: string]: unknown };
  weight(name: string): Weight;
}

/** Collects nodes and constants while layers are lowered. Types and shapes are inferred afterwards. */
export interface GraphBuilder {
  readonly opset: number;
  /** Takes a name, or one like it, that no node or constant will have. */
  reserve(name: string): Edge;
  /** Adds a node of one output, an edge named after the node. */
  add(op: string, name: string, inputs: readonly Edge[], attrs?: Attrs): Edge;
  /** Adds a node of these outputs; `""` for one that nobody reads. */
  addMany(op: string, name: string, inputs: readonly Edge[], attrs: Attrs, outputs: readonly Edge[]): void;
  constant(name: string, tensor: Tensor): Edge;
  finish(): { readonly nodes: readonly Node[]; readonly constants: ReadonlyMap<Edge, Tensor> };
}

/** How one kind of layer becomes nodes; a layer of several outputs (a recurrent one with its state) gives a list. */
export type Lowering = (
  layer: LayerSource,
  inputs: readonly Lowered[],
  builder: GraphBuilder,
) => Lowered | readonly Lowered[];

/** Starts an empty graph. */
export function startGraph(opset: number): GraphBuilder {
  const nodes: Node[] = [];
  const constants = new Map<Edge, Tensor>();
  const names = new Set<string>();
  const unique = (name: string): string => {
    let free = name;
    for (let count = 2; names.has(free); count++) free = `${name}_${count}`;
    names.add(free);
    return free;
  };
  return {
    opset,
    reserve: unique,
    add(op, wanted, inputs, attrs = {}) {
      const name = unique(wanted);
      nodes.push({ op, domain: "", name, inputs, outputs: [name], attrs });
      return name;
    },
    addMany(op, wanted, inputs, attrs, outputs) {
      nodes.push({ op, domain: "", name: unique(wanted), inputs, outputs, attrs });
    },
    constant(wanted, tensor) {
      const name = unique(wanted);
      constants.set(name, tensor);
      return name;
    },
    finish: () => ({ nodes, constants }),
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
