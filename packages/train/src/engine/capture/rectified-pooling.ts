/**
 * The slope of a rectifier before max pooling is cut after the pooling, on a map of a quarter of the size:
 *
 *   y = relu(x), p = max y:     [y > 0] dp/dy d  =  dp/dy ([p > 0] d)
 *
 * Both sides are the same to the bit. Where p > 0 the slope goes to a y that is p, which its own rectifier lets through; where
 * p = 0 every y under it is 0 and both sides are 0. For relu6 likewise, with 6 as with 0. Only a graph shows that what is pooled
 * was rectified, so this is a rewrite of a recorded step and no kernel.
 */
import type { GraphNode } from "./graph-def.ts";

const SLOPES: Readonly<Record<string, string>> = { ReluGrad: "Relu", Relu6Grad: "Relu6" };
const SUFFIX = "_pooled";

/** Moves what can be moved; a step without such a pair is returned as it is. */
export function cutAfterPooling(nodes: readonly GraphNode[]): readonly GraphNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const uses = new Map<string, number>();
  for (const input of nodes.flatMap(({ inputs }) => inputs)) uses.set(input, (uses.get(input) ?? 0) + 1);

  /** The gradients of pooling whose only use is to be cut, and the op that cuts. */
  const cutters = new Map<string, GraphNode>();
  for (const node of nodes) {
    const pooling = byName.get(node.inputs[0] ?? "");
    const rectified = node.inputs[1];
    if (rectified === undefined || pooling?.op !== "MaxPoolGrad" || pooling.inputs[0] !== rectified) continue;
    const isCut = SLOPES[node.op] !== undefined && SLOPES[node.op] === byName.get(rectified)?.op;
    if (isCut && uses.get(pooling.name) === 1) cutters.set(pooling.name, node);
  }
  if (cutters.size === 0) return nodes;

  const done = new Set(cutters.values());
  return nodes.flatMap((node) => {
    if (done.has(node)) return [{ ...node, op: "Identity", inputs: [node.inputs[0]!] }];
    const cutter = cutters.get(node.name);
    if (cutter === undefined) return [node];
    const [rectified, pooled, slope, ...order] = node.inputs as [string, string, string];
    const cut = { ...cutter, name: `${node.name}${SUFFIX}`, inputs: [slope, pooled] };
    return [cut, { ...node, inputs: [rectified, pooled, cut.name, ...order] }];
  });
}
