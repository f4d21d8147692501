/**
 * MatMul of a matrix and constant weights, and an Add of a constant row, become one Gemm, its weights a row for each output as from
 * layers: what quantisation expects.
 *
 * Fires for inputs of rank 2 where nobody else reads the product or the weights.
 */
import { int } from "../attr.ts";
import type { Edge, Pass, Tensor } from "../graph.ts";
import { floatsOf, floatTensor, permute } from "../tensor.ts";
import { writerOf } from "./match.ts";
import { rewriting } from "./rewrite.ts";

/** See the file's header. */
export const matmulAddToGemm: Pass = rewriting((node, around) => {
  if (node.op !== "Add" || node.domain !== "") return undefined;
  for (const [product, row] of [node.inputs, node.inputs.toReversed()] as [Edge, Edge][]) {
    const matmul = writerOf("MatMul", product, around);
    const [bias, weights] = [around.constant(row), around.constant(matmul?.inputs[1])];
    if (matmul === undefined || bias === undefined || weights?.shape.length !== 2) continue;
    if (around.shape(matmul.inputs[0])?.length !== 2 || around.readers(product) > 1) continue;
    if (weights.dtype !== "float32" || around.readers(matmul.inputs[1]!) > 1) continue;
    const [depth, width] = weights.shape as [number, number];
    if (!isRow(bias, width)) continue;
    const turned = floatTensor(permute(floatsOf(weights), weights.shape, [1, 0]), [width, depth]);
    const name = bias.shape.length === 1 ? row : around.fresh(`${row}/row`);
    return {
      nodes: [{ ...node, op: "Gemm", inputs: [...matmul.inputs, name], attrs: { transB: int(1) } }],
      constants: [
        [matmul.inputs[1]!, turned],
        [name, { ...bias, shape: [width] }],
      ],
    };
  }
  return undefined;
});

function isRow({ shape }: Tensor, width: number): boolean {
  return shape.length <= 2 && shape.at(-1) === width && shape.slice(0, -1).every((size) => size === 1);
}
