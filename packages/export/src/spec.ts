/**
 * The table of ops: how many inputs and outputs each takes, which attributes of which kind, and from which opset on; by family
 * in `spec/`. `verify` holds a graph against it.
 */
import { DistillateError } from "@distillate/bundle";
import type { Graph, Node } from "./graph.ts";
import { ARRANGEMENT } from "./spec/arrangement.ts";
import { ELEMENTWISE } from "./spec/elementwise.ts";
import { MICROSOFT } from "./spec/microsoft.ts";
import { NETWORK } from "./spec/network.ts";
import type { OpSpec, Rows, Signature } from "./spec/op-spec.ts";

export type { OpSpec } from "./spec/op-spec.ts";

/** All ops that may stand in a graph. */
export const OPS: { readonly [op: string]: OpSpec } = { ...ARRANGEMENT, ...ELEMENTWISE, ...NETWORK };

const DOMAINS: { readonly [domain: string]: Rows } = { "": OPS, "com.microsoft": MICROSOFT };

function signatureAt(spec: OpSpec, opset: number): Signature {
  const reached = (spec.changes ?? []).filter(({ since }) => opset >= since);
  return Object.assign({}, spec, ...reached) as Signature;
}

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
      if (edge === "") continue;
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
  const table = Object.hasOwn(DOMAINS, node.domain) ? DOMAINS[node.domain]! : {};
  const spec = Object.hasOwn(table, node.op) ? table[node.op] : undefined;
  if (spec === undefined) return ["no such op in the table"];
  const { inputs, outputs, attrs } = signatureAt(spec, opset);
  const problems: string[] = [];
  if (opset < spec.since) problems.push(`needs opset ${spec.since}, the graph has ${opset}`);
  for (const [what, count, [least, most]] of [
    ["inputs", node.inputs.length, inputs],
    ["outputs", node.outputs.length, outputs],
  ] as const) {
    if (count < least || count > most)
      problems.push(`${count} ${what}, expected ${least === most ? least : `${least} to ${most}`}`);
  }
  for (const [name, attr] of Object.entries(node.attrs)) {
    const kind = attrs[name];
    if (kind !== attr.kind)
      problems.push(`attribute ${name} is ${attr.kind}, expected ${kind ?? `none of this name at opset ${opset}`}`);
  }
  return problems;
}
