/**
 * Bounds become one Clip: Min and Max with a number, Relu under a bound, and a Clip of a Clip. ReLU6 comes as Min(Relu(x), 6) from
 * most tools.
 *
 *   min(max(x, a), b) = clip(x, a, b)        max(min(x, b), a) = clip(x, a, b)        where a <= b
 *
 * A bound that the one before it keeps already goes. A Min or Max or Relu alone stays as it is. onnxruntime fuses a Clip into the Conv before it, Min and Max not.
 */
import type { Edge, Node, Pass, Tensor } from "../graph.ts";
import { scalar } from "../tensor.ts";
import { numberAt, withNumber } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const minMaxToClip: Pass = rewriting((node, around) => {
  const outer = boundsOf(node, around);
  const before = outer && around.writer(outer.edge);
  const inner = before && boundsOf(before, around);
  if (outer === undefined || inner === undefined || around.readers(outer.edge) > 1) return undefined;
  if (inner.low >= outer.low && inner.high <= outer.high) return { alias: outer.edge };
  // The outer bound wins where they cross: then neither order is one Clip.
  const [low, high] = [Math.max(outer.low, inner.low), Math.min(outer.high, inner.high)];
  if (low > high) return undefined;
  const constants: [Edge, Tensor][] = [];
  const bound = (name: string, value: number): Edge => {
    if (!Number.isFinite(value)) return "";
    const edge = around.fresh(`${node.name}/${name}`);
    constants.push([edge, scalar(value)]);
    return edge;
  };
  const inputs = [inner.edge, bound("min", low), bound("max", high)];
  while (inputs.at(-1) === "") inputs.pop();
  return { nodes: [{ ...node, op: "Clip", inputs, attrs: {} }], constants };
});

interface Bounds {
  readonly edge: Edge;
  readonly low: number;
  readonly high: number;
}

function boundsOf(node: Node, around: Surroundings): Bounds | undefined {
  if (node.domain !== "") return undefined;
  const open = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  if (node.op === "Relu") return { ...open, edge: node.inputs[0]!, low: 0 };
  if (node.op === "Min" || node.op === "Max") {
    const found = withNumber(node, around);
    if (found === undefined || Number.isNaN(found.number)) return undefined;
    return { ...open, edge: found.edge, [node.op === "Min" ? "high" : "low"]: found.number };
  }
  if (node.op !== "Clip") return undefined;
  const read = (edge: Edge | undefined, otherwise: number): number | undefined =>
    edge === undefined || edge === "" ? otherwise : numberAt(edge, around);
  const [low, high] = [read(node.inputs[1], open.low), read(node.inputs[2], open.high)];
  return low === undefined || high === undefined || low > high ? undefined : { edge: node.inputs[0]!, low, high };
}
