/**
 * MobileNetV3's activations, written out, become ONNX' own (Howard et al. 2019, arXiv 1905.02244, section 5.2):
 *
 *   relu6(x + 3) / 6  is  HardSigmoid(x), alpha 1/6, beta 1/2           x HardSigmoid(x)  is  HardSwish(x), from opset 14 on
 */
import { float } from "../attr.ts";
import type { Edge, Node, Pass } from "../graph.ts";
import { isNear, numberAt, productAt, withNumber, writerOf } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const fuseHardSwish: Pass = rewriting((node, around) => {
  if ((node.op !== "Mul" && node.op !== "Div") || node.domain !== "") return undefined;
  const { number, factors } = productAt(node.outputs[0]!, around);
  const [only] = factors;
  if (factors.length === 1 && isNear(number, 1 / 6)) {
    const x = shifted(only!, around);
    if (x === undefined) return undefined;
    return { nodes: [{ ...node, op: "HardSigmoid", inputs: [x], attrs: { alpha: float(1 / 6), beta: float(0.5) } }] };
  }
  if (factors.length !== 2 || around.graph.opset < 14) return undefined;
  for (const [x, gate] of [factors, factors.toReversed()] as [Edge, Edge][]) {
    const clipped = isNear(number, 1 / 6) && shifted(gate, around) === x;
    if (clipped || (isNear(number, 1) && isSixth(writerOf("HardSigmoid", gate, around), x)))
      return { nodes: [{ ...node, op: "HardSwish", inputs: [x], attrs: {} }] };
  }
  return undefined;
});

/** x, where an edge holds clip(x + 3, 0, 6). */
function shifted(edge: Edge, around: Surroundings): Edge | undefined {
  const clip = writerOf("Clip", edge, around);
  if (clip === undefined || numberAt(clip.inputs[1], around) !== 0 || numberAt(clip.inputs[2], around) !== 6)
    return undefined;
  const added = withNumber(writerOf("Add", clip.inputs[0], around), around);
  return added?.number === 3 ? added.edge : undefined;
}

function isSixth(node: Node | undefined, x: Edge): boolean {
  const { alpha, beta } = node?.attrs ?? {};
  const slope = alpha?.kind === "float" ? alpha.value : 0.2;
  return (
    node?.inputs[0] === x &&
    isNear(slope, 1 / 6) &&
    (beta === undefined || (beta.kind === "float" && beta.value === 0.5))
  );
}
