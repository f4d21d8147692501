/**
 * Folds BatchNormalization into the Conv before it:
 *
 *   w' = w g / sqrt(v + eps)        b' = (b - m) g / sqrt(v + eps) + beta
 *
 * Fires when the Conv's output is read by the BatchNormalization alone and the weights are constants. Rule: Jacob et al. 2018
 * (arXiv 1712.05877), section 3.2.
 */
import type { Edge, Graph, Node, Pass, Tensor } from "../graph.ts";
import { floatsOf, floatTensor } from "../tensor.ts";

/** See the file's header. */
export const foldBatchNorm: Pass = (graph) => {
  const readers = countReaders(graph);
  const writer = new Map(graph.nodes.flatMap((node) => node.outputs.map((edge) => [edge, node] as const)));
  const constants = new Map(graph.constants);
  const values = new Map(graph.values);
  const replaced = new Map<Node, Node | undefined>();
  for (const norm of graph.nodes) {
    if (norm.op !== "BatchNormalization") continue;
    const conv = writer.get(norm.inputs[0]!);
    if (conv?.op !== "Conv" || readers.get(norm.inputs[0]!) !== 1 || !graph.constants.has(conv.inputs[1]!)) continue;
    // Weights that another node reads too stay as they are.
    if (conv.inputs.slice(1).some((edge) => readers.get(edge) !== 1)) continue;
    const folded = fold(graph.constants, conv, norm);
    for (const edge of [...conv.inputs.slice(1), ...norm.inputs.slice(1)])
      if (readers.get(edge) === 1) constants.delete(edge);
    const kernel = conv.inputs[1]!;
    const bias = conv.inputs[2] ?? `${conv.name}/bias`;
    constants.set(kernel, folded.kernel).set(bias, folded.bias);
    values.delete(conv.outputs[0]!);
    // The fused node takes the last output's name, so that nothing behind it changes.
    replaced
      .set(conv, { ...conv, inputs: [conv.inputs[0]!, kernel, bias], outputs: norm.outputs })
      .set(norm, undefined);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
  return { ...graph, nodes, constants, values };
};

function fold(constants: ReadonlyMap<Edge, Tensor>, conv: Node, norm: Node): { kernel: Tensor; bias: Tensor } {
  const read = (edge: Edge): Float32Array => floatsOf(constants.get(edge)!);
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map(read) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const epsilon = norm.attrs.epsilon?.kind === "float" ? norm.attrs.epsilon.value : 1e-5;
  const { shape } = constants.get(conv.inputs[1]!)!;
  const kernel = read(conv.inputs[1]!).slice();
  const bias = conv.inputs[2] ? read(conv.inputs[2]).slice() : new Float32Array(gamma.length);
  const size = kernel.length / gamma.length;
  for (let channel = 0; channel < gamma.length; channel++) {
    const factor = gamma[channel]! / Math.sqrt(variance[channel]! + epsilon);
    for (let i = channel * size; i < (channel + 1) * size; i++) kernel[i]! *= factor;
    bias[channel] = (bias[channel]! - mean[channel]!) * factor + beta[channel]!;
  }
  return { kernel: floatTensor(kernel, shape), bias: floatTensor(bias, [bias.length]) };
}

function countReaders(graph: Graph): ReadonlyMap<Edge, number> {
  const counts = new Map<Edge, number>();
  const edges = [...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)];
  for (const edge of edges) counts.set(edge, (counts.get(edge) ?? 0) + 1);
  return counts;
}
