/**
 * Types and shapes of every value, from the inputs on, by one rule an op; the batch may stay symbolic. Source of the rules: ONNX,
 * docs/Operators.md.
 */
import { DistillateError } from "@distillate/bundle";
import type { Dim, Edge, Graph, Node, Value } from "./graph.ts";

type Typed = Pick<Value, "dtype" | "shape">;
type Rule = (node: Node, inputs: readonly (Typed | undefined)[]) => Typed;

const same: Rule = (_node, [x]) => x!;
const perChannel: Rule = (_node, [x]) => ({
  dtype: x!.dtype,
  shape: [x!.shape[0]!, x!.shape[1]!, ...x!.shape.slice(2).map(() => 1)],
});

const RULES: { readonly [op: string]: Rule } = {
  Add: (node, [a, b]) => ({ dtype: a!.dtype, shape: broadcast(node, a!.shape, b!.shape) }),
  AveragePool: (node, [x]) => ({
    dtype: x!.dtype,
    shape: windows(node, x!.shape, x!.shape[1]!, ints(node, "kernel_shape")!),
  }),
  BatchNormalization: same,
  Clip: same,
  Concat: (node, inputs) => {
    const shapes = inputs.map((input) => input!.shape);
    const axis = axisOf(node, shapes[0]!.length);
    const total = shapes.reduce((sum, shape) => sum + sizeAt(node, shape, axis), 0);
    return { dtype: inputs[0]!.dtype, shape: shapes[0]!.map((size, i) => (i === axis ? total : size)) };
  },
  Conv: (node, [x, w]) => {
    const group = int(node, "group", 1);
    const [filters, channels, ...kernel] = w!.shape;
    if (x!.shape[1] !== (channels as number) * group) {
      throw mismatch(node, `an input of ${x!.shape[1]} channels`, `${(channels as number) * group} for its weights`);
    }
    return { dtype: x!.dtype, shape: windows(node, x!.shape, filters!, kernel as number[]) };
  },
  DequantizeLinear: (_node, [x, scale]) => ({ dtype: scale!.dtype, shape: x!.shape }),
  Flatten: (node, [x]) => {
    const axis = int(node, "axis", 1);
    return { dtype: x!.dtype, shape: [product(x!.shape.slice(0, axis)), product(x!.shape.slice(axis))] };
  },
  Gemm: (node, [a, b]) => {
    const [rows, inner] = int(node, "transA", 0) ? [a!.shape[1]!, a!.shape[0]!] : [a!.shape[0]!, a!.shape[1]!];
    const [depth, columns] = int(node, "transB", 0) ? [b!.shape[1]!, b!.shape[0]!] : [b!.shape[0]!, b!.shape[1]!];
    if (a!.shape.length !== 2 || inner !== depth) throw mismatch(node, `rows of ${inner}`, `${depth} for its weights`);
    return { dtype: a!.dtype, shape: [rows, columns] };
  },
  GlobalAveragePool: perChannel,
  GlobalMaxPool: perChannel,
  MaxPool: (node, [x]) => ({
    dtype: x!.dtype,
    shape: windows(node, x!.shape, x!.shape[1]!, ints(node, "kernel_shape")!),
  }),
  QuantizeLinear: (_node, [x, , zero]) => ({ dtype: zero?.dtype ?? "uint8", shape: x!.shape }),
  Relu: same,
  Sigmoid: same,
  Softmax: same,
  Tanh: same,
};

/**
 * Fills in type and shape of every value that a node writes. Returns the graph itself when nothing was missing.
 *
 * @throws DistillateError `op-unsupported` for an op without a rule, `shape-mismatch` where shapes do not fit each other or what
 * the graph declares.
 */
export function inferShapes(graph: Graph): Graph {
  const values = new Map<Edge, Value>();
  const known = new Map<Edge, Typed>([
    ...graph.constants,
    ...graph.inputs.map((value) => [value.name, value] as const),
  ]);
  const declared = new Map([...graph.values, ...graph.outputs.map((value) => [value.name, value] as const)]);
  for (const node of graph.nodes) {
    const rule = RULES[node.op];
    if (rule === undefined || node.domain !== "") throw unsupportedOp(node);
    const inputs = node.inputs.map((edge) => known.get(edge));
    const lost = node.inputs.findIndex((edge, i) => edge !== "" && inputs[i] === undefined);
    if (lost >= 0 || inputs[0] === undefined) {
      throw mismatch(node, `input ${node.inputs[lost] ?? "(none)"}, which nothing before it writes`, "a value");
    }
    const typed = applyRule(rule, node, inputs);
    const name = node.outputs[0] ?? "";
    const value = { name, dtype: typed.dtype, shape: typed.shape };
    const claim = declared.get(name);
    if (claim !== undefined && !agrees(claim, value)) {
      throw mismatch(node, `${name} as ${describe(value)}`, `${describe(claim)}, as the graph says`);
    }
    known.set(name, value);
    values.set(name, claim !== undefined && graph.values.get(name) === claim ? claim : value);
  }
  const complete =
    values.size === graph.values.size && [...values].every(([name, value]) => graph.values.get(name) === value);
  return complete ? graph : { ...graph, values };
}

/** A rule reads shapes as if they fitted; what does not fit shows as a size that is no number. */
function applyRule(rule: Rule, node: Node, inputs: readonly (Typed | undefined)[]): Typed {
  let typed: Typed;
  try {
    typed = rule(node, inputs);
  } catch (error) {
    if (error instanceof TypeError)
      throw mismatch(node, `inputs ${inputs.map(describeOptional).join(", ")}`, "shapes that fit");
    throw error;
  }
  if (
    typed.shape.some(
      (size) => size === undefined || (typeof size === "number" && !(Number.isInteger(size) && size > 0)),
    )
  ) {
    throw mismatch(node, `inputs ${inputs.map(describeOptional).join(", ")}`, "shapes that leave something");
  }
  return typed;
}

function windows(node: Node, shape: readonly Dim[], channels: Dim, kernel: readonly number[]): readonly Dim[] {
  const rank = kernel.length;
  if (shape.length !== rank + 2) throw mismatch(node, `an input of rank ${shape.length}`, `${rank + 2} for its kernel`);
  const strides = ints(node, "strides") ?? new Array<number>(rank).fill(1);
  const dilations = ints(node, "dilations") ?? new Array<number>(rank).fill(1);
  const pads = ints(node, "pads") ?? new Array<number>(2 * rank).fill(0);
  const auto = node.attrs.auto_pad?.kind === "string" ? node.attrs.auto_pad.value : "NOTSET";
  const round = int(node, "ceil_mode", 0) ? Math.ceil : Math.floor;
  const sizes = kernel.map((taps, i) => {
    const size = sizeAt(node, shape, i + 2);
    const [stride, reach] = [strides[i]!, dilations[i]! * (taps - 1) + 1];
    if (auto.startsWith("SAME")) return Math.ceil(size / stride);
    const padding = auto === "VALID" ? 0 : pads[i]! + pads[i + rank]!;
    return round((size + padding - reach) / stride) + 1;
  });
  return [shape[0]!, channels, ...sizes];
}

function broadcast(node: Node, a: readonly Dim[], b: readonly Dim[]): readonly Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x !== y && x !== 1 && y !== 1) throw mismatch(node, `[${a}] and [${b}]`, "shapes that broadcast");
    return x === 1 ? y : x;
  });
}

function product(sizes: readonly Dim[]): Dim {
  const symbols = sizes.filter((size) => typeof size === "string");
  const number = sizes.reduce<number>((total, size) => (typeof size === "number" ? total * size : total), 1);
  if (symbols.length === 0) return number;
  return number === 1 ? symbols.join("*") : [...symbols, number].join("*");
}

function sizeAt(node: Node, shape: readonly Dim[], axis: number): number {
  const size = shape[axis];
  if (typeof size === "number") return size;
  throw mismatch(node, `axis ${axis} of [${shape}]`, "a size that is a number");
}

function axisOf(node: Node, rank: number): number {
  const axis = int(node, "axis", 0);
  return axis < 0 ? axis + rank : axis;
}

function int(node: Node, name: string, otherwise: number): number {
  const attr = node.attrs[name];
  return attr?.kind === "int" ? attr.value : otherwise;
}

function ints(node: Node, name: string): readonly number[] | undefined {
  const attr = node.attrs[name];
  return attr?.kind === "ints" ? attr.value : undefined;
}

/** Symbolic sizes are names that each tool gives as it likes: only numbers can contradict. */
function agrees(claim: Typed, found: Typed): boolean {
  if (claim.dtype !== found.dtype) return false;
  // A graph that declares no shape at all reads as rank zero.
  if (claim.shape.length !== found.shape.length) return claim.shape.length === 0;
  return claim.shape.every(
    (size, i) => typeof size === "string" || typeof found.shape[i] === "string" || size === found.shape[i],
  );
}

function describe({ dtype, shape }: Typed): string {
  return `${dtype} [${shape.join(", ")}]`;
}

function describeOptional(value: Typed | undefined): string {
  return value === undefined ? "(left out)" : describe(value);
}

function mismatch(node: Node, found: string, expected: string): DistillateError {
  return new DistillateError({
    code: "shape-mismatch",
    message: `${node.op} ${node.name} has ${found}, expected ${expected}`,
    hint: "Correct the model where it was made, and export it again.",
  });
}

function unsupportedOp({ op, domain, name }: Node): DistillateError {
  return new DistillateError({
    code: "op-unsupported",
    message: `node ${name} is ${domain === "" ? "" : `${domain}.`}${op}, which is not in the table of ops (${Object.keys(RULES).join(", ")})`,
    hint: "Replace this part of the model by ops of the table.",
  });
}
