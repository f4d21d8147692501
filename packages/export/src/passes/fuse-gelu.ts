/**
 * The written-out GELU becomes ONNX' Gelu, which runtimes have a kernel for (Hendrycks and Gimpel 2016, arXiv 1606.08415):
 *
 *   exact  x / 2 (1 + erf(x / sqrt 2))          tanh  x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
 *
 * Fires from opset 20 on, in whatever order the factors stand.
 */
import { text } from "../attr.ts";
import type { Edge, Node, Pass } from "../graph.ts";
import { isNear, numberAt, productAt, withNumber, writerOf } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const fuseGelu: Pass = rewriting((node, around) => {
  if (around.graph.opset < 20 || node.op !== "Mul" || node.domain !== "") return undefined;
  const { number, factors } = productAt(node.outputs[0]!, around);
  if (factors.length !== 2) return undefined;
  for (const [x, sum] of [factors, factors.toReversed()] as [Edge, Edge][]) {
    const half = halfOf(sum, around);
    if (half === undefined || !isNear(number * half.scale, 0.5)) continue;
    const approximate = isErf(half.edge, x, around) ? "none" : isTanh(half.edge, x, around) ? "tanh" : undefined;
    if (approximate === undefined) continue;
    return { nodes: [{ ...node, op: "Gelu", inputs: [x], attrs: { approximate: text(approximate) } }] };
  }
  return undefined;
});

/** `scale (1 + f)`, written as a sum of two: what f is. */
function halfOf(sum: Edge, around: Surroundings): { readonly edge: Edge; readonly scale: number } | undefined {
  const added = withNumber(writerOf("Add", sum, around), around);
  if (added === undefined) return undefined;
  const { number, factors } = productAt(added.edge, around, true);
  return factors.length === 1 && isNear(number, added.number) ? { edge: factors[0]!, scale: number } : undefined;
}

function isErf(edge: Edge, x: Edge, around: Surroundings): boolean {
  const erf = writerOf("Erf", edge, around);
  return erf !== undefined && isMultiple(erf.inputs[0]!, x, Math.SQRT1_2, around);
}

function isTanh(edge: Edge, x: Edge, around: Surroundings): boolean {
  const tanh = writerOf("Tanh", edge, around);
  if (tanh === undefined) return false;
  const { number, factors } = productAt(tanh.inputs[0]!, around, true);
  const rest = factors.filter((factor) => factor !== x);
  if (!isNear(number, Math.sqrt(2 / Math.PI)) || rest.length !== 1) return false;
  const sum = writerOf("Add", rest[0], around);
  if (sum === undefined) return false;
  const [a, b] = sum.inputs as [Edge, Edge];
  // x + c x^3, or the same with x before the bracket: x (1 + c x^2).
  if (factors.length === 1) return (a === x && isCubic(b, x, 3, around)) || (b === x && isCubic(a, x, 3, around));
  const added = withNumber(sum, around);
  return factors.length === 2 && added !== undefined && isNear(added.number, 1) && isCubic(added.edge, x, 2, around);
}

/** Whether an edge holds 0.044715 times a power of x. */
function isCubic(edge: Edge, x: Edge, power: number, around: Surroundings): boolean {
  const { number, factors } = productAt(edge, around, true);
  const powerOf = (factor: Edge): number => {
    if (factor === x) return 1;
    const pow: Node | undefined = writerOf("Pow", factor, around);
    return pow?.inputs[0] === x ? (numberAt(pow.inputs[1], around) ?? Number.NaN) : Number.NaN;
  };
  return isNear(number, 0.044715) && factors.reduce((sum, factor) => sum + powerOf(factor), 0) === power;
}

function isMultiple(edge: Edge, x: Edge, factor: number, around: Surroundings): boolean {
  const { number, factors } = productAt(edge, around, true);
  return factors.length === 1 && factors[0] === x && isNear(number, factor);
}
