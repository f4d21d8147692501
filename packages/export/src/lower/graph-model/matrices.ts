/** Products of matrices. */
import { int, text } from "../../attr.ts";
import type { Edge } from "../../graph.ts";
import { permuteTensor } from "../../tensor.ts";
import { activated, fusedOf } from "./convolution.ts";
import { inOrder, plain, plainly, plainOrder, shapeOf, together, transposed } from "./layout.ts";
import { flagAttr, numbersIn, type OpLowering, type OpNode, type OpTable, textAttr } from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";

/** a b, with a bias and an activation where the node fuses them. Two matrices, the right one constant, make a Gemm. */
const product =
  (turnA: string, turnB: string): OpLowering =>
  (node, [a, b, ...args], build) => {
    const left = flagAttr(node, turnA) ? turned(a!, build) : a!;
    const right = flagAttr(node, turnB) ? turned(b!, build) : b!;
    const fused = fusedOf(node, args);
    const weights = build.tensorOf(right.edge);
    if (left.order.length === 2 && right.order.length === 2 && weights?.dtype === "float32") {
      const [inputs, units] = shapeOf(right, build) as [number, number];
      const bias = gemmBias(fused.bias, units, build);
      const kernel = kernelOf(left, right, inputs, build);
      const edge = build.add("Gemm", node.name, [kernel.input, kernel.edge, ...(bias ?? [])], { transB: int(1) });
      const sum = bias === undefined ? biased(node, plainly(edge, build), fused.bias, build) : plainly(edge, build);
      return activated(node, sum, fused, build);
    }
    const edge = build.add("MatMul", node.name, [plain(left, build), plain(right, build)]);
    return activated(node, biased(node, plainly(edge, build), fused.bias, build), fused, build);
  };

/** The last two axes change places. */
function turned(value: Traced, build: Tracer): Traced {
  const rank = value.order.length;
  return transposed(value, [...plainOrder(rank - 2), rank - 1, rank - 2], build);
}

/**
 * The weights as [units, inputs]. What was flattened out of another order stays in it: the weights' rows are put in that order
 * instead, so that no Transpose is needed.
 */
function kernelOf(left: Traced, right: Traced, inputs: number, build: Tracer): { input: Edge; edge: Edge } {
  const { edge } = inOrder(right, [1, 0], build);
  const sizes = left.flattened?.shape.slice(1) ?? [];
  if (left.flattened === undefined || !sizes.every((size) => typeof size === "number"))
    return { input: plain(left, build), edge };
  const { order } = left.flattened;
  const key = `${edge} rows ${order} of ${sizes}`;
  const reordered = build.once(key, () => {
    const units = build.edgeShape(edge)[0] as number;
    // As the edge lies, [n, ...sizes]: its axis k is the axis order[k] of the tensor that the weights know.
    const known: number[] = [];
    for (const [k, size] of (sizes as readonly number[]).entries()) known[order[k + 1]! - 1] = size;
    const whole = { ...build.tensorOf(edge)!, shape: [units, ...known] };
    const { dtype, bytes } = permuteTensor(whole, [0, ...order.slice(1)]);
    return build.constant(edge, { dtype, bytes, shape: [units, inputs] });
  });
  return { input: left.edge, edge: reordered };
}

/** A bias that Gemm takes as it is: one number for each unit. */
function gemmBias(bias: Traced | undefined, units: number, build: Tracer): readonly Edge[] | undefined {
  if (bias === undefined) return [];
  const shape = shapeOf(bias, build);
  return shape.length === 1 && shape[0] === units ? [bias.edge] : undefined;
}

function biased(node: OpNode, x: Traced, bias: Traced | undefined, build: Tracer): Traced {
  if (bias === undefined) return x;
  const { edges, like } = together([x, bias], build);
  return { ...like, edge: build.add("Add", `${node.name}/biased`, edges) };
}

/** Letters of axes; without an arrow those that occur once, in the order of the alphabet. */
const einsum: OpLowering = (node, inputs, build) => {
  const equation = textAttr(node, "equation", "").replaceAll(" ", "");
  const edges = inputs.map((value) => plain(value, build));
  return plainly(build.add("Einsum", node.name, edges, { equation: text(equation) }), build);
};

/** A Transpose gives the axes other names; nothing moves until somebody wants them in a row. */
const transpose: OpLowering = (node, [x, perm], build) => {
  const rank = x!.order.length;
  const axes = perm === undefined ? plainOrder(rank).toReversed() : numbersIn(node, perm, "order", build);
  return transposed(
    x!,
    axes.map((axis) => (axis < 0 ? axis + rank : axis)),
    build,
  );
};

/** Products of matrices. */
export const MATRICES: OpTable = {
  BatchMatMul: product("adj_x", "adj_y"),
  BatchMatMulV2: product("adj_x", "adj_y"),
  Einsum: einsum,
  MatMul: product("transpose_a", "transpose_b"),
  MatrixBandPart: {
    refused: "how many diagonals it keeps is an input",
    hint: "Multiply by a constant mask.",
  },
  Transpose: transpose,
  _FusedMatMul: product("transpose_a", "transpose_b"),
};
