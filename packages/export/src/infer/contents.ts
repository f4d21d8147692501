/**
 * The numbers that small values hold, as far as they follow from constants and shapes: what Reshape, Slice, Resize and their like
 * need, with symbolic sizes among them (`Shape -> Gather -> Concat -> Reshape` keeps the batch).
 */
import type { Dim, Edge, Node, Tensor } from "../graph.ts";
import { int, numbers, product, quotient, type Typed } from "./rule.ts";

/** Shapes and the like; anything longer is data. */
const MOST = 64;

/** Reads a small constant; floats too, for the scales of Resize, and truth values as 0 and 1. */
export function constantContents({ dtype, shape, bytes }: Tensor): readonly number[] | undefined {
  const count = shape.reduce((total, size) => total * size, 1);
  if (count > MOST) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const list = Array.from({ length: count }, (_, i) => i);
  if (dtype === "int64") return list.map((i) => Number(view.getBigInt64(8 * i, true)));
  if (dtype === "int32") return list.map((i) => view.getInt32(4 * i, true));
  if (dtype === "float32") return list.map((i) => view.getFloat32(4 * i, true));
  if (dtype === "bool") return list.map((i) => view.getUint8(i));
  return undefined;
}

/** A rule may rely on the output's type: a quotient of whole numbers is whole. */
type Evaluate = (
  node: Node,
  inputs: readonly (readonly Dim[] | undefined)[],
  output: Typed,
) => readonly Dim[] | undefined;

const first: Evaluate = (_node, [x]) => x;

const arithmetic =
  (combine: (a: Dim, b: Dim, isWhole: boolean) => Dim | undefined): Evaluate =>
  (_node, [a, b], { dtype }) => {
    if (a === undefined || b === undefined || (a.length !== b.length && a.length !== 1 && b.length !== 1))
      return undefined;
    const found = Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
      combine(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!, dtype !== "float32"),
    );
    return found.includes(undefined) ? undefined : (found as readonly Dim[]);
  };

const onNumbers = (combine: (a: number, b: number) => number): Evaluate =>
  arithmetic((a, b) => (typeof a === "number" && typeof b === "number" ? combine(a, b) : undefined));

const onEach =
  (change: (x: number) => number): Evaluate =>
  (_node, [x]) =>
    numbers(x)?.map(change);

/** Repeats a single number. */
const filled: Evaluate = (_node, [x], { shape }) => {
  const count = shape[0] ?? 1;
  return x?.length === 1 && typeof count === "number" && count <= MOST ? new Array<Dim>(count).fill(x[0]!) : x;
};

const EVALUATE: { readonly [op: string]: Evaluate } = {
  Add: onNumbers((a, b) => a + b),
  Cast: (_node, [x], { dtype }) =>
    dtype === "float32" ? x : x?.map((size) => (typeof size === "number" ? Math.trunc(size) : size)),
  Ceil: onEach(Math.ceil),
  Concat: (_node, inputs) => (inputs.includes(undefined) ? undefined : inputs.flatMap((part) => part!)),
  Div: arithmetic((a, b, isWhole) => {
    if (typeof a !== "number" || typeof b !== "number") return quotient([a], [b]);
    return isWhole ? Math.trunc(a / b) : a / b;
  }),
  Expand: filled,
  Floor: onEach(Math.floor),
  Gather: (_node, [x, indices]) => numbers(indices)?.flatMap((i) => x?.at(i) ?? []),
  Identity: first,
  Max: onNumbers(Math.max),
  Min: onNumbers(Math.min),
  Mod: onNumbers((a, b) => a - Math.floor(a / b) * b),
  Mul: arithmetic((a, b) => product([a, b])),
  Neg: onEach((x) => -x),
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
  Tile: filled,
  Unsqueeze: first,
};

/** Types that sizes are counted in; float32 where a scale is on its way to becoming one. */
const COUNTS = new Set(["int64", "int32", "float32"]);

/** What a node's first output holds, where it can be told. */
export function evaluateContents(
  node: Node,
  inputs: readonly (Typed | undefined)[],
  output: Typed,
  contents: (edge: Edge) => readonly Dim[] | undefined,
): readonly Dim[] | undefined {
  if (output.shape.length > 1 || !COUNTS.has(output.dtype)) return undefined;
  const shape = inputs[0]!.shape;
  if (node.op === "Shape") return shape.slice(int(node, "start", 0), int(node, "end", shape.length));
  if (node.op === "Size") return [product(shape)];
  const found = EVALUATE[node.op]?.(node, node.inputs.map(contents), output);
  // A rule above that took another number of elements than the shape says has met a case it does not know.
  if (found?.length !== (output.shape[0] ?? 1)) return undefined;
  return output.dtype === "float32" ? numbers(found) : found;
}
