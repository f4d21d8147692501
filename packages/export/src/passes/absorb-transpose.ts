/**
 * A Transpose whose values are flattened for a Gemm or MatMul goes into the order of the weights' rows instead.
 *
 * Fires when the Transpose keeps the batch in place, nobody else reads its values, all sizes but the batch are known, and the weights
 * are a constant matrix that nobody else reads.
 */
import type { Edge, Node, Pass } from "../graph.ts";
import { floatsOf, floatTensor, permute } from "../tensor.ts";
import { writerOf } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const absorbTranspose: Pass = rewriting((node, around) => {
  if ((node.op !== "Gemm" && node.op !== "MatMul") || node.domain !== "") return undefined;
  const flat = flattenBefore(node, around);
  const transpose = writerOf("Transpose", flat?.inputs[0], around);
  const perm = transpose?.attrs.perm;
  const weights = around.constant(node.inputs[1]);
  if (flat === undefined || transpose === undefined || perm?.kind !== "ints" || perm.value[0] !== 0) return undefined;
  if (weights?.dtype !== "float32" || weights.shape.length !== 2 || around.readers(node.inputs[1]!) > 1)
    return undefined;
  if ([transpose.outputs[0]!, flat.outputs[0]!].some((edge) => around.readers(edge) > 1)) return undefined;
  const sizes = around.shape(transpose.outputs[0])?.slice(1);
  const { transA, transB } = node.attrs;
  if (sizes?.every((size) => typeof size === "number") !== true || (transA?.kind === "int" && transA.value !== 0))
    return undefined;
  const isTurned = transB?.kind === "int" && transB.value !== 0;
  const rows = weights.shape[isTurned ? 1 : 0]!;
  const inner = sizes as readonly number[];
  if (rows !== inner.reduce((product, size) => product * size, 1)) return undefined;
  // Rows stand in the order of the transposed axes; back to the order that was there before.
  const order = perm.value.slice(1).map((_, axis) => perm.value.indexOf(axis + 1) - 1);
  const other = weights.shape[isTurned ? 0 : 1]!;
  const values = isTurned
    ? permute(floatsOf(weights), [other, ...inner], [0, ...order.map((axis) => axis + 1)])
    : permute(floatsOf(weights), [...inner, other], [...order, inner.length]);
  const flattened = around.fresh(`${flat.name}/as_before`);
  return {
    nodes: [
      { ...flat, name: flattened, inputs: [transpose.inputs[0]!, ...flat.inputs.slice(1)], outputs: [flattened] },
      { ...node, inputs: [flattened, ...node.inputs.slice(1)] },
    ],
    constants: [[node.inputs[1]!, floatTensor(values, weights.shape)]],
  };
});

/** The Flatten, or Reshape to the same end, that the weights are multiplied with. */
function flattenBefore({ inputs }: Node, around: Surroundings): Node | undefined {
  const flat = writerOf("Flatten", inputs[0], around) ?? writerOf("Reshape", inputs[0], around);
  const [before, after] = [around.shape(flat?.inputs[0]), around.shape(flat?.outputs[0])];
  const edge: Edge | undefined = flat?.outputs[0];
  const keepsBatch = edge !== undefined && after?.length === 2 && before?.[0] === after[0];
  return keepsBatch && typeof after[1] === "number" ? flat : undefined;
}
