/**
 * The whole numbers that small integer values hold, as far as they follow from constants and shapes: what Reshape, Slice and their
 * like need, with symbolic sizes among them (`Shape -> Gather -> Concat -> Reshape` keeps the batch).
 */
import type { Dim, Edge, Node, Tensor } from "../graph.ts";
import { int, numbers, product, quotient, type Typed } from "./rule.ts";

/** Shapes and the like; anything longer is data. */
const MOST = 64;

/** Reads a small constant; floats too, for the scales of Resize. */
export function constantContents({ dtype, shape, bytes }: Tensor): readonly number[] | undefined {
  const count = shape.reduce((total, size) => total * size, 1);
  if (count > MOST) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const list = Array.from({ length: count }, (_, i) => i);
  if (dtype === "int64") return list.map((i) => Number(view.getBigInt64(8 * i, true)));
  if (dtype === "int32") return list.map((i) => view.getInt32(4 * i, true));
  if (dtype === "float32") return list.map((i) => view.getFloat32(4 * i, true));
  return undefined;
}

type Evaluate = (node: Node, inputs: readonly (readonly Dim[] | undefined)[]) => readonly Dim[] | undefined;

const first: Evaluate = (_node, [x]) => x;

const arithmetic =
  (combine: (a: Dim, b: Dim) => Dim | undefined): Evaluate =>
  (_node, [a, b]) => {
    if (a === undefined || b === undefined || (a.length !== b.length && a.length !== 1 && b.length !== 1))
      return undefined;
    const found = Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
      combine(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!),
    );
    return found.includes(undefined) ? undefined : (found as readonly Dim[]);
  };

const onNumbers = (combine: (a: number, b: number) => number): Evaluate =>
  arithmetic((a, b) => (typeof a === "number" && typeof b === "number" ? combine(a, b) : undefined));

const EVALUATE: { readonly [op: string]: Evaluate } = {
  Add: onNumbers((a, b) => a + b),
  Cast: first,
  Concat: (_node, inputs) => (inputs.includes(undefined) ? undefined : inputs.flatMap((part) => part!)),
  Div: arithmetic((a, b) => (typeof a === "number" && typeof b === "number" ? Math.trunc(a / b) : quotient([a], [b]))),
  Gather: (_node, [x, indices]) => numbers(indices)?.flatMap((i) => x?.at(i) ?? []),
  Identity: first,
  Max: onNumbers(Math.max),
  Min: onNumbers(Math.min),
  Mul: arithmetic((a, b) => product([a, b])),
  ReduceProd: (_node, [x]) => (x === undefined ? undefined : [product(x)]),
  Reshape: first,
  Slice: (_node, [x, starts, ends, , steps]) => {
    const [start, end, step] = [
      numbers(starts)?.[0],
      numbers(ends)?.[0],
      steps === undefined ? 1 : numbers(steps)?.[0],
    ];
    return start === undefined || end === undefined || step !== 1 ? undefined : x?.slice(start, end);
  },
  Squeeze: first,
  Sub: onNumbers((a, b) => a - b),
  Unsqueeze: first,
};

/** What a node's first output holds, where it can be told. */
export function evaluateContents(
  node: Node,
  inputs: readonly (Typed | undefined)[],
  output: Typed,
  contents: (edge: Edge) => readonly Dim[] | undefined,
): readonly Dim[] | undefined {
  if (output.shape.length > 1 || (output.dtype !== "int64" && output.dtype !== "int32")) return undefined;
  const shape = inputs[0]!.shape;
  if (node.op === "Shape") return shape.slice(int(node, "start", 0), int(node, "end", shape.length));
  if (node.op === "Size") return [product(shape)];
  const found = EVALUATE[node.op]?.(node, node.inputs.map(contents));
  // A rule above that took another number of elements than the shape says has met a case it does not know.
  return found?.length === (output.shape[0] ?? 1) ? found : undefined;
}
