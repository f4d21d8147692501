/**
 * A sigmoid written out becomes one, and with it Swish two nodes, which runtimes fuse (Ramachandran et al. 2017, arXiv 1710.05941):
 *
 *   1 / (1 + exp(-x))  is  Sigmoid(x)           x / (1 + exp(-x))  is  x Sigmoid(x)
 */
import type { Pass } from "../graph.ts";
import { numberAt, withNumber, writerOf } from "./match.ts";
import { rewriting } from "./rewrite.ts";

/** See the file's header. */
export const fuseSigmoid: Pass = rewriting((node, around) => {
  if ((node.op !== "Div" && node.op !== "Reciprocal") || node.domain !== "") return undefined;
  const below = node.op === "Div" ? node.inputs[1] : node.inputs[0];
  const sum = withNumber(writerOf("Add", below, around), around);
  const negative = writerOf("Neg", sum && writerOf("Exp", sum.edge, around)?.inputs[0], around);
  if (sum?.number !== 1 || negative === undefined) return undefined;
  const x = negative.inputs[0]!;
  const sigmoid = { op: "Sigmoid", domain: "", inputs: [x], attrs: {} };
  if (node.op === "Reciprocal" || numberAt(node.inputs[0], around) === 1) return { nodes: [{ ...node, ...sigmoid }] };
  const name = around.fresh(`${node.name}/sigmoid`);
  return {
    nodes: [
      { ...sigmoid, name, outputs: [name] },
      { ...node, op: "Mul", inputs: [node.inputs[0]!, name] },
    ],
  };
});
