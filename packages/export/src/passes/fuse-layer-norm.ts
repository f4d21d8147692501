/**
 * Layer normalisation written out becomes ONNX' LayerNormalization (Ba et al. 2016, arXiv 1607.06450), over the last axes:
 *
 *   d = x - mean(x)         y = d / sqrt(mean(d^2) + eps) gamma + beta                     as most tools write it
 *   s = gamma rsqrt(v + eps)         y = x s + (beta - mean(x) s)                          as TensorFlow does
 *
 * Fires from opset 17 on, where gamma and beta are constants as wide as those axes.
 */
import { float, int } from "../attr.ts";
import type { Edge, Node, Pass, Tensor } from "../graph.ts";
import { constantContents } from "../infer/contents.ts";
import { numberAt, withNumber, writerOf } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const fuseLayerNorm: Pass = rewriting((node, around) => {
  if (around.graph.opset < 17 || node.op !== "Add" || node.domain !== "") return undefined;
  for (const [a, b] of [node.inputs, node.inputs.toReversed()] as [Edge, Edge][]) {
    const found = centred(a, b, around) ?? shifted(a, b, around);
    if (found === undefined) continue;
    const { x, axes, epsilon, gamma, beta } = found;
    const shape = around.shape(x)?.slice(-axes);
    const [scale, bias] = [asWide(gamma, shape, around), asWide(beta, shape, around)];
    if (shape === undefined || scale === undefined || bias === undefined) continue;
    const [scaleName, biasName] = [around.fresh(`${node.name}/gamma`), around.fresh(`${node.name}/beta`)];
    return {
      nodes: [
        {
          ...node,
          op: "LayerNormalization",
          inputs: [x, scaleName, biasName],
          attrs: { axis: int(-axes), epsilon: float(epsilon) },
        },
      ],
      constants: [
        [scaleName, scale],
        [biasName, bias],
      ],
    };
  }
  return undefined;
});

interface Found {
  readonly x: Edge;
  /** How many axes, counted from the last. */
  readonly axes: number;
  readonly epsilon: number;
  readonly gamma: Edge;
  readonly beta: Edge;
}

/** d / sqrt(v + eps) gamma + beta */
function centred(product: Edge, beta: Edge, around: Surroundings): Found | undefined {
  const scaled = writerOf("Mul", product, around);
  for (const [normal, gamma] of orders(scaled)) {
    const [above, root] = quotientOf(normal, around) ?? [];
    const deviation = deviationOf(root, around);
    const difference = writerOf("Sub", above, around);
    const mean = meanOf(difference?.inputs[1], around);
    if (deviation === undefined || mean?.x !== difference?.inputs[0] || mean === undefined) continue;
    if (deviation.difference !== above || deviation.axes !== mean.axes) continue;
    return { ...mean, epsilon: deviation.epsilon, gamma, beta };
  }
  return undefined;
}

/** x s + (beta - mean s), s = rsqrt(v + eps) gamma */
function shifted(product: Edge, rest: Edge, around: Surroundings): Found | undefined {
  const [subtracted, scaled] = [writerOf("Sub", rest, around), writerOf("Mul", product, around)];
  const moved = writerOf("Mul", subtracted?.inputs[1], around);
  for (const [x, scale] of orders(scaled)) {
    const meanEdge = orders(moved).find(([, other]) => other === scale)?.[0];
    const mean = meanOf(meanEdge, around);
    if (subtracted === undefined || mean?.x !== x) continue;
    for (const [inverse, gamma] of orders(writerOf("Mul", scale, around))) {
      const deviation = deviationOf(writerOf("Reciprocal", inverse, around)?.inputs[0], around);
      const difference = writerOf("Sub", deviation?.difference, around);
      if (deviation === undefined || difference?.inputs[0] !== x || difference.inputs[1] !== meanEdge) continue;
      if (deviation.axes === mean.axes)
        return { ...mean, epsilon: deviation.epsilon, gamma, beta: subtracted.inputs[0]! };
    }
  }
  return undefined;
}

function orders(node: Node | undefined): readonly (readonly [Edge, Edge])[] {
  if (node === undefined) return [];
  const [a, b] = node.inputs as [Edge, Edge];
  return [
    [a, b],
    [b, a],
  ];
}

/** Above and below, of a Div or of a product with a Reciprocal. */
function quotientOf(edge: Edge, around: Surroundings): readonly [Edge, Edge] | undefined {
  const div = writerOf("Div", edge, around);
  if (div !== undefined) return [div.inputs[0]!, div.inputs[1]!];
  for (const [a, b] of orders(writerOf("Mul", edge, around))) {
    const below = writerOf("Reciprocal", b, around)?.inputs[0];
    if (below !== undefined) return [a, below];
  }
  return undefined;
}

/** sqrt(mean(difference^2) + epsilon) */
function deviationOf(
  root: Edge | undefined,
  around: Surroundings,
): { readonly difference: Edge; readonly axes: number; readonly epsilon: number } | undefined {
  const sum = withNumber(writerOf("Add", writerOf("Sqrt", root, around)?.inputs[0], around), around);
  const mean = meanOf(sum?.edge, around);
  if (sum === undefined || mean === undefined || sum.number < 0) return undefined;
  const [pow, mul] = [writerOf("Pow", mean.x, around), writerOf("Mul", mean.x, around)];
  const isSquare = mul !== undefined ? mul.inputs[0] === mul.inputs[1] : numberAt(pow?.inputs[1], around) === 2;
  const difference = (mul ?? pow)?.inputs[0];
  return isSquare && difference !== undefined ? { difference, axes: mean.axes, epsilon: sum.number } : undefined;
}

/** The mean over the last axes, which it keeps. */
function meanOf(edge: Edge | undefined, around: Surroundings): { readonly x: Edge; readonly axes: number } | undefined {
  const mean = writerOf("ReduceMean", edge, around);
  const rank = around.shape(mean?.inputs[0])?.length;
  if (mean === undefined || rank === undefined) return undefined;
  const { axes: attr, keepdims } = mean.attrs;
  const given = around.constant(mean.inputs[1]);
  const axes = attr?.kind === "ints" ? attr.value : given === undefined ? undefined : constantContents(given);
  if (axes === undefined || (keepdims?.kind === "int" && keepdims.value === 0)) return undefined;
  const sorted = axes.map((axis) => (axis < 0 ? axis : axis - rank)).sort((a, b) => b - a);
  return sorted.length > 0 && sorted.every((axis, i) => axis === -1 - i)
    ? { x: mean.inputs[0]!, axes: sorted.length }
    : undefined;
}

/** A constant of exactly this shape, but for axes of 1 before it. */
function asWide(edge: Edge, shape: readonly (number | string)[] | undefined, around: Surroundings): Tensor | undefined {
  const tensor = around.constant(edge);
  if (tensor?.dtype !== "float32" || shape?.some((size) => typeof size === "string")) return undefined;
  const sizes = shape as readonly number[];
  const extra = tensor.shape.length - sizes.length;
  const fits = extra >= 0 && tensor.shape.every((size, i) => size === (i < extra ? 1 : sizes[i - extra]));
  return fits ? { ...tensor, shape: sizes } : undefined;
}
