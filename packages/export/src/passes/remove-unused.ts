/**
 * Removes nodes that no output needs and constants that no node reads.
 *
 * Goes last of the passes that leave something behind: lowering does (a Flatten that only a Dense absorbs), folding does.
 */
import type { Edge, Pass } from "../graph.ts";

/** See the file's header. */
export const removeUnused: Pass = (graph) => {
  const needed = new Set<Edge>(graph.outputs.map(({ name }) => name));
  // Nodes are in topological order: backwards, every reader has been seen before its writer.
  const nodes = graph.nodes.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((edge) => needed.has(edge))) return false;
    for (const edge of inputs) needed.add(edge);
    return true;
  });
  const constants = [...graph.constants].filter(([name]) => needed.has(name));
  if (nodes.length === graph.nodes.length && constants.length === graph.constants.size) return graph;
  const written = new Set(nodes.flatMap(({ outputs }) => outputs));
  const values = [...graph.values].filter(([name]) => written.has(name));
  return { ...graph, nodes: nodes.reverse(), constants: new Map(constants), values: new Map(values) };
};
