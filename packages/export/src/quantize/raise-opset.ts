/**
 * Rewrites a graph of an older opset so that it says the same at a newer one, up to 21:
 *
 *   18   axes of a reduction (all but ReduceSum, where they moved before) are an input, no attribute
 *   18   Split into equal parts says how many
 *
 * What else changed between opsets 13 and 21 in ops of the table only added attributes, inputs or types. Source: ONNX,
 * docs/Changelog.md.
 */
import type { Edge, Graph, Node, Tensor } from "../graph.ts";
import { intTensor } from "../tensor.ts";

/** See the file's header. Returns the graph itself when it is there already. */
export function raiseOpset(graph: Graph, opset: number): Graph {
  if (graph.opset >= opset) return graph;
  if (graph.opset >= 18) return { ...graph, opset };
  const constants = new Map<Edge, Tensor>(graph.constants);
  const nodes = graph.nodes.map((node): Node => {
    const { axes, ...attrs } = node.attrs;
    if (node.op.startsWith("Reduce") && axes?.kind === "ints") {
      const edge = `${node.name}/axes`;
      constants.set(edge, intTensor(axes.value));
      return { ...node, inputs: [node.inputs[0]!, edge], attrs };
    }
    if (node.op === "Split" && (node.inputs[1] ?? "") === "")
      return { ...node, attrs: { ...node.attrs, num_outputs: { kind: "int", value: node.outputs.length } } };
    return node;
  });
  return { ...graph, opset, nodes, constants };
}
