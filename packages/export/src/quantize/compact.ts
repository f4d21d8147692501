/**
 * Makes a quantised graph small as a file: what only serves the pairs, or makes weights of constants, gets the shortest names, and
 * no type and shape, which every reader infers. Nodes that compute keep theirs, as do the model's inputs and outputs.
 *
 * For `encodeModel`; `decodeModel` fills the types in again.
 */
import type { Edge, Graph, Node } from "../graph.ts";

const PAIR = new Set(["QuantizeLinear", "DequantizeLinear"]);

/** See the file's header. */
export function compact(graph: Graph): Graph {
  const kept = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const serves = servants(graph);
  const shown = new Set<Edge>();
  for (const node of graph.nodes) if (!serves.has(node)) for (const edge of node.outputs) shown.add(edge);
  const taken = new Set([...kept, ...shown, ...graph.nodes.map(({ name }) => name)]);
  const short = shortNames(taken);
  const names = new Map<Edge, Edge>([["", ""]]);
  const nameOf = (edge: Edge): Edge => {
    const name = names.get(edge) ?? (kept.has(edge) || shown.has(edge) ? edge : short.next().value);
    names.set(edge, name);
    return name;
  };
  const nodes = graph.nodes.map((node) => {
    const outputs = node.outputs.map(nameOf);
    return { ...node, inputs: node.inputs.map(nameOf), outputs, ...(serves.has(node) && { name: outputs[0]! }) };
  });
  return {
    ...graph,
    nodes,
    constants: new Map([...graph.constants].map(([name, tensor]) => [nameOf(name), tensor] as const)),
    values: new Map([...graph.values].filter(([name]) => shown.has(name))),
  };
}

/** Pairs, and nodes that read constants alone. */
function servants(graph: Graph): ReadonlySet<Node> {
  const made = new Set<Edge>(["", ...graph.constants.keys()]);
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    const isConstant = node.inputs.every((edge) => made.has(edge));
    if (isConstant) for (const edge of node.outputs) made.add(edge);
    if (isConstant || PAIR.has(node.op)) found.add(node);
  }
  return found;
}

/** a, b, ... z, aa, ab, ...: all that are free. */
function* shortNames(taken: ReadonlySet<string>): Generator<string, never> {
  for (let count = 0; ; count++) {
    let name = "";
    for (let rest = count; rest >= 0; rest = Math.floor(rest / 26) - 1)
      name = String.fromCharCode(97 + (rest % 26)) + name;
    if (!taken.has(name)) yield name;
  }
}
