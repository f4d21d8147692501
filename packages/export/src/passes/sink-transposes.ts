/**
 * Moves Transposes towards the outputs, past what works on each element or along an axis that can be renamed, until two meet: those
 * become one, or none where the second undoes the first. Convolutions that tools wrap in Transposes lose them so.
 *
 *   f(T(x)) = T(f(x))        f(T(x), T(y)) = T(f(x, y))        f(T(x); axis) = T(f(x; perm[axis]))
 *
 * Fires when nobody else reads the transposed values, which would have to be there twice.
 */
import { int, ints } from "../attr.ts";
import type { Edge, Node, Pass, Tensor } from "../graph.ts";
import { constantContents } from "../infer/contents.ts";
import { floatsOf, floatTensor, intTensor, permute } from "../tensor.ts";
import { writerOf } from "./match.ts";
import { type Replacement, type RewriteRule, rewriting, type Surroundings } from "./rewrite.ts";

const UNARY = new Set(
  (
    "Abs Cast Ceil Celu Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Mish Neg Reciprocal Relu Round Selu Sigmoid " +
    "Sign Softplus Softsign Sqrt Tanh ThresholdedRelu"
  ).split(" "),
);
const BINARY = new Set("Add Div Max Min Mul Pow Sub".split(" "));
const REDUCING = new Set(
  "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare".split(" "),
);
const ALONG = new Set(["Concat", "LogSoftmax", "Softmax"]);

const sink: RewriteRule = (node, around) => {
  if (node.domain !== "") return undefined;
  if (node.op === "Transpose") return merge(node, around);
  const isElementwise = UNARY.has(node.op) || BINARY.has(node.op);
  if (!isElementwise && !REDUCING.has(node.op) && !ALONG.has(node.op)) return undefined;
  const first = node.inputs
    .map((edge) => permOf(writerOf("Transpose", edge, around)))
    .find((perm) => perm !== undefined);
  const data = UNARY.has(node.op) || REDUCING.has(node.op) ? node.inputs.slice(0, 1) : node.inputs;
  const constants: [Edge, Tensor][] = [];
  const sources = data.map((edge) => {
    const transpose = writerOf("Transpose", edge, around);
    const perm = permOf(transpose);
    if (perm !== undefined && around.readers(edge) === 1 && isSame(perm, first!)) return transpose!.inputs[0]!;
    const constant =
      BINARY.has(node.op) && first !== undefined ? untransposed(around.constant(edge), first) : undefined;
    if (constant === undefined) return undefined;
    if (constant === around.constant(edge)) return edge;
    const name = around.fresh(`${edge}/untransposed`);
    constants.push([name, constant]);
    return name;
  });
  if (first === undefined || sources.includes(undefined)) return undefined;
  const moved = isElementwise ? { inputs: [], attrs: node.attrs, constants: [] } : alongAxes(node, first, around);
  if (moved === undefined) return undefined;
  const before = around.fresh(`${node.name}/untransposed`);
  const inputs = [...(sources as Edge[]), ...(isElementwise ? node.inputs.slice(data.length) : moved.inputs)];
  return {
    nodes: [
      { ...node, inputs, outputs: [before], attrs: moved.attrs },
      {
        op: "Transpose",
        domain: "",
        name: around.fresh(`${node.name}/transposed`),
        inputs: [before],
        outputs: node.outputs,
        attrs: { perm: ints(first) },
      },
    ],
    constants: [...constants, ...moved.constants],
  };
};

/** See the file's header. */
export const sinkTransposes: Pass = rewriting(sink);

/** Two Transposes in a row. */
function merge(node: Node, around: Surroundings): Replacement | undefined {
  const before = writerOf("Transpose", node.inputs[0], around);
  const [inner, outer] = [permOf(before), permOf(node)];
  if (before === undefined || inner === undefined || outer === undefined) return undefined;
  const perm = outer.map((axis) => inner[axis]!);
  if (perm.every((axis, i) => axis === i)) return { alias: before.inputs[0]! };
  return { nodes: [{ ...node, inputs: before.inputs, attrs: { perm: ints(perm) } }] };
}

function permOf(node: Node | undefined): readonly number[] | undefined {
  const perm = node?.attrs.perm;
  return perm?.kind === "ints" ? perm.value : undefined;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}

/** The constant whose Transpose is this one: a number as it is, floats of a lower rank with axes of 1 before. */
function untransposed(tensor: Tensor | undefined, perm: readonly number[]): Tensor | undefined {
  if (tensor === undefined || tensor.shape.length > perm.length) return undefined;
  if (tensor.shape.every((size) => size === 1) && tensor.shape.length <= 1) return tensor;
  if (tensor.dtype !== "float32") return undefined;
  const shape = [...new Array<number>(perm.length - tensor.shape.length).fill(1), ...tensor.shape];
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return floatTensor(
    permute(floatsOf(tensor), shape, inverse),
    inverse.map((axis) => shape[axis]!),
  );
}

/** The same reduction, softmax or concatenation before the Transpose: what of it changes. */
function alongAxes(
  node: Node,
  perm: readonly number[],
  around: Surroundings,
):
  | { readonly inputs: readonly Edge[]; readonly attrs: Node["attrs"]; readonly constants: readonly [Edge, Tensor][] }
  | undefined {
  const before = (axis: number): number => perm[axis < 0 ? axis + perm.length : axis]!;
  const { axis, axes, keepdims } = node.attrs;
  if (ALONG.has(node.op)) {
    const along = axis?.kind === "int" ? axis.value : -1;
    return { inputs: [], attrs: { ...node.attrs, axis: int(before(along)) }, constants: [] };
  }
  // Without its axes the result has another rank, and needs another Transpose.
  if (keepdims?.kind === "int" && keepdims.value === 0) return undefined;
  if (axes?.kind === "ints")
    return { inputs: [], attrs: { ...node.attrs, axes: ints(axes.value.map(before)) }, constants: [] };
  const given = around.constant(node.inputs[1]);
  const list = given && constantContents(given);
  if (list === undefined) return undefined;
  const name = around.fresh(`${node.inputs[1]}/untransposed`);
  return { inputs: [name], attrs: node.attrs, constants: [[name, intTensor(list.map(before))]] };
}
