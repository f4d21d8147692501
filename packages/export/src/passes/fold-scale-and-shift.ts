/**
 * Folds a product or a sum with one number for each channel, or for all, into the Conv before it:
 *
 *   (w x + b) c  is  (w c) x + b c           (w x + b) + c  is  w x + (b + c)
 *
 * So come batch norms that a converter has taken apart, and biases that it left behind. Fires when nobody else reads the Conv and its
 * weights are constants that nobody else reads. Behind fold-batch-norm, to which it adds what that leaves.
 */
import type { Edge, Node, Pass, Tensor } from "../graph.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const foldScaleAndShift: Pass = rewriting((node, around) => {
  if ((node.op !== "Mul" && node.op !== "Add") || node.domain !== "") return undefined;
  for (const [from, given] of [node.inputs, node.inputs.toReversed()] as [Edge, Edge][]) {
    const conv = around.writer(from);
    const constant = around.constant(given);
    if (conv === undefined || constant === undefined || !isFoldable(conv, around)) continue;
    const kernel = around.constant(conv.inputs[1])!;
    const numbers = perChannel(constant, kernel.shape);
    if (numbers === undefined || around.readers(from) > 1) continue;
    const old = conv.inputs[2] === undefined ? undefined : floatsOf(around.constant(conv.inputs[2])!);
    const isProduct = node.op === "Mul";
    const size = floatsOf(kernel).length / numbers.length;
    const weights = isProduct ? floatsOf(kernel).map((w, i) => w * numbers[Math.floor(i / size)]!) : undefined;
    const shift = numbers.map((c, i) => (isProduct ? (old?.[i] ?? 0) * c : (old?.[i] ?? 0) + c));
    const hasBias = old !== undefined || !isProduct;
    const bias = conv.inputs[2] ?? (hasBias ? around.fresh(`${conv.name}/bias`) : undefined);
    return {
      // The fused node takes the last output's name, so that nothing behind it changes; and its own, which the layer had.
      nodes: [{ ...conv, inputs: [...conv.inputs.slice(0, 2), ...(bias ? [bias] : [])], outputs: node.outputs }],
      constants: [
        ...(weights ? [[conv.inputs[1]!, floatTensor(weights, kernel.shape)] as const] : []),
        ...(bias ? [[bias, floatTensor(shift, [shift.length])] as const] : []),
      ],
    };
  }
  return undefined;
});

function isFoldable({ op, domain, inputs }: Node, around: Surroundings): boolean {
  if (op !== "Conv" || domain !== "") return false;
  return inputs.slice(1).every((edge) => around.constant(edge)?.dtype === "float32" && around.readers(edge) === 1);
}

/** The constant as one number for each channel of a Conv's output; undefined where it differs along other axes. */
function perChannel(constant: Tensor, [filters, , ...taps]: readonly number[]): Float32Array | undefined {
  const rank = taps.length + 2;
  if (constant.dtype !== "float32" || constant.shape.length > rank) return undefined;
  const lined = [...new Array<number>(rank - constant.shape.length).fill(1), ...constant.shape];
  if (lined.some((size, axis) => size !== 1 && axis !== 1)) return undefined;
  if (lined[1] !== 1 && lined[1] !== filters) return undefined;
  const values = floatsOf(constant);
  return Float32Array.from({ length: filters! }, (_, i) => values[values.length === 1 ? 0 : i]!);
}
