/**
 * The table of ops: how many inputs and outputs each takes, which attributes of which kind, and its first opset. `verify`
 * holds a graph against it. Source: ONNX, docs/Operators.md.
 */
import { DistillateError } from "@distillate/bundle";
import type { Attr, Graph, Node } from "./graph.ts";

/** One row of the table. */
export interface OpSpec {
  readonly since: number;
  readonly inputs: readonly [least: number, most: number];
  readonly outputs: number;
  readonly attrs: { readonly [name: string]: Attr["kind"] };
}

const window = { kernel_shape: "ints", strides: "ints", pads: "ints", dilations: "ints", auto_pad: "string" } as const;
const plain = (inputs: number, since = 13): OpSpec => ({ since, inputs: [inputs, inputs], outputs: 1, attrs: {} });

/** All ops that may stand in a graph. */
export const OPS: { readonly [op: string]: OpSpec } = {
  Add: plain(2),
  AveragePool: {
    since: 11,
    inputs: [1, 1],
    outputs: 1,
    attrs: { ...window, ceil_mode: "int", count_include_pad: "int" },
  },
  BatchNormalization: { since: 9, inputs: [5, 5], outputs: 1, attrs: { epsilon: "float", momentum: "float" } },
  Clip: { since: 13, inputs: [1, 3], outputs: 1, attrs: {} },
  Concat: { since: 13, inputs: [1, 1_000], outputs: 1, attrs: { axis: "int" } },
  Conv: { since: 11, inputs: [2, 3], outputs: 1, attrs: { ...window, group: "int" } },
  DequantizeLinear: { since: 13, inputs: [2, 3], outputs: 1, attrs: { axis: "int" } },
  Flatten: { since: 13, inputs: [1, 1], outputs: 1, attrs: { axis: "int" } },
  Gemm: {
    since: 13,
    inputs: [2, 3],
    outputs: 1,
    attrs: { alpha: "float", beta: "float", transA: "int", transB: "int" },
  },
  GlobalAveragePool: plain(1, 1),
  GlobalMaxPool: plain(1, 1),
  MaxPool: { since: 12, inputs: [1, 1], outputs: 1, attrs: { ...window, ceil_mode: "int" } },
  QuantizeLinear: { since: 13, inputs: [2, 3], outputs: 1, attrs: { axis: "int" } },
  Relu: plain(1),
  Sigmoid: plain(1),
  Softmax: { since: 13, inputs: [1, 1], outputs: 1, attrs: { axis: "int" } },
  Tanh: plain(1),
};

/**
 * Checks a graph: every op in the table with the right arity and attributes, every edge written once and before it is read,
 * every value typed, nothing left over.
 *
 * @throws DistillateError `graph-invalid` listing what is wrong, node by node.
 */
export function verify(graph: Graph): void {
  const problems: string[] = [];
  const written = new Set([...graph.inputs.map(({ name }) => name), ...graph.constants.keys()]);
  const read = new Set(graph.outputs.map(({ name }) => name));
  const names = new Set<string>();
  for (const node of graph.nodes) {
    const where = `${node.op} ${node.name}`;
    problems.push(...problemsOf(node, graph.opset).map((problem) => `${where}: ${problem}`));
    if (names.has(node.name)) problems.push(`${where}: the name is taken`);
    names.add(node.name);
    for (const edge of node.inputs) {
      read.add(edge);
      if (edge !== "" && !written.has(edge)) problems.push(`${where}: reads ${edge}, which nothing before it writes`);
    }
    for (const edge of node.outputs) {
      if (written.has(edge)) problems.push(`${where}: writes ${edge} a second time`);
      written.add(edge);
      if (!graph.values.has(edge)) problems.push(`${where}: ${edge} has no type and shape`);
    }
  }
  for (const { name } of graph.outputs) if (!written.has(name)) problems.push(`output ${name}: nothing writes it`);
  for (const name of graph.constants.keys()) if (!read.has(name)) problems.push(`constant ${name}: nothing reads it`);
  if (problems.length === 0) return;
  throw new DistillateError({
    code: "graph-invalid",
    message: `graph ${graph.name} has ${problems.length} faults: ${problems.slice(0, 10).join("; ")}`,
    hint: "If this tool made the graph, this is a defect of it: please report the model it came from.",
  });
}

function problemsOf(node: Node, opset: number): readonly string[] {
  const spec = OPS[node.op];
  if (spec === undefined) return ["no such op in the table"];
  const problems: string[] = [];
  const [least, most] = spec.inputs;
  if (opset < spec.since) problems.push(`needs opset ${spec.since}, the graph has ${opset}`);
  if (node.inputs.length < least || node.inputs.length > most)
    problems.push(`${node.inputs.length} inputs, expected ${least} to ${most}`);
  if (node.outputs.length !== spec.outputs) problems.push(`${node.outputs.length} outputs, expected ${spec.outputs}`);
  for (const [name, attr] of Object.entries(node.attrs)) {
    const kind = spec.attrs[name];
    if (kind !== attr.kind) problems.push(`attribute ${name} is ${attr.kind}, expected ${kind ?? "none of this name"}`);
  }
  return problems;
}
