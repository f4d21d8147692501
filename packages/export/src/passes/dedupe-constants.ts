/**
 * Constants that are equal in type, shape and bytes become one, under the name of the first: the scalars of activations, shapes,
 * axes. Weights and biases of Conv, ConvTranspose and Gemm keep their own, since quantisation gives each its own scales.
 */
import type { Edge, Pass, Tensor } from "../graph.ts";

const QUANTIZED = new Set(["Conv", "ConvTranspose", "Gemm"]);

/** See the file's header. */
export const dedupeConstants: Pass = (graph) => {
  const kept = new Map<string, [Edge, Tensor][]>();
  const renamed = new Map<Edge, Edge>();
  const own = new Set(graph.outputs.map(({ name }) => name));
  for (const { op, inputs } of graph.nodes) if (QUANTIZED.has(op)) for (const edge of inputs.slice(1)) own.add(edge);
  for (const [name, tensor] of graph.constants) {
    if (own.has(name)) continue;
    const alike = kept.get(keyOf(tensor)) ?? [];
    const twin = alike.find(([, other]) => isEqual(other.bytes, tensor.bytes));
    if (twin === undefined) kept.set(keyOf(tensor), [...alike, [name, tensor]]);
    else renamed.set(name, twin[0]);
  }
  if (renamed.size === 0) return graph;
  const constants = new Map([...graph.constants].filter(([name]) => !renamed.has(name)));
  const nodes = graph.nodes.map((node) =>
    node.inputs.some((edge) => renamed.has(edge))
      ? { ...node, inputs: node.inputs.map((edge) => renamed.get(edge) ?? edge) }
      : node,
  );
  return { ...graph, nodes, constants };
};

/** Type, shape and a hash (FNV-1a) of at most 4 kB: constants that share it are few, and are compared whole. */
function keyOf({ dtype, shape, bytes }: Tensor): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes.subarray(0, 4096)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${dtype} ${shape.join()} ${hash}`;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}
