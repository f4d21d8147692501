/**
 * Types and shapes of every value, from the inputs on, by one rule an op (by family in `infer/`); the batch may stay symbolic.
 * Source of the rules: ONNX, docs/Operators.md.
 */
import { DistillateError } from "@distillate/bundle";
import type { Dim, Edge, Graph, Node, Value } from "./graph.ts";
import { ARRANGEMENT_RULES } from "./infer/arrangement.ts";
import { constantContents, evaluateContents } from "./infer/contents.ts";
import { ELEMENTWISE_RULES } from "./infer/elementwise.ts";
import { MICROSOFT_RULES } from "./infer/microsoft.ts";
import { NETWORK_RULES } from "./infer/network.ts";
import { type Contents, mismatch, type Rule, type Rules, type Typed } from "./infer/rule.ts";

const RULES: Rules = { ...ARRANGEMENT_RULES, ...ELEMENTWISE_RULES, ...NETWORK_RULES };
const DOMAINS: { readonly [domain: string]: Rules } = { "": RULES, "com.microsoft": MICROSOFT_RULES };

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
  const evaluated = new Map<Edge, readonly Dim[] | undefined>();
  const contentsOf = (edge: Edge): readonly Dim[] | undefined => {
    const constant = graph.constants.get(edge);
    if (constant !== undefined && !evaluated.has(edge)) evaluated.set(edge, constantContents(constant));
    return evaluated.get(edge);
  };
  const declared = new Map([...graph.values, ...graph.outputs.map((value) => [value.name, value] as const)]);
  for (const node of graph.nodes) {
    const rules = Object.hasOwn(DOMAINS, node.domain) ? DOMAINS[node.domain]! : {};
    const rule = Object.hasOwn(rules, node.op) ? rules[node.op] : undefined;
    if (rule === undefined) throw unsupportedOp(node);
    const inputs = node.inputs.map((edge) => known.get(edge));
    const lost = node.inputs.findIndex((edge, i) => edge !== "" && inputs[i] === undefined);
    if (lost >= 0 || inputs[0] === undefined) {
      throw mismatch(node, `input ${node.inputs[lost] ?? "(none)"}, which nothing before it writes`, "a value");
    }
    const found = applyRule(rule, node, inputs, (i) => contentsOf(node.inputs[i] ?? ""));
    for (const [i, name] of node.outputs.entries()) {
      const typed = found[i];
      if (name === "") continue;
      if (typed === undefined) throw mismatch(node, `${node.outputs.length} outputs`, `${found.length}`);
      const value = { name, dtype: typed.dtype, shape: typed.shape };
      const claim = declared.get(name);
      if (claim !== undefined && !agrees(claim, value)) {
        throw mismatch(node, `${name} as ${describe(value)}`, `${describe(claim)}, as the graph says`);
      }
      known.set(name, value);
      values.set(name, claim !== undefined && graph.values.get(name) === claim ? claim : value);
      if (i === 0) evaluated.set(name, evaluateContents(node, inputs, value, contentsOf));
    }
  }
  const complete =
    values.size === graph.values.size && [...values].every(([name, value]) => graph.values.get(name) === value);
  return complete ? graph : { ...graph, values };
}

/** A rule reads shapes as if they fitted; what does not fit shows as a size that is no number. */
function applyRule(
  rule: Rule,
  node: Node,
  inputs: readonly (Typed | undefined)[],
  contents: Contents,
): readonly Typed[] {
  let found: Typed | readonly Typed[];
  try {
    found = rule(node, inputs, contents);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw mismatch(node, `inputs ${inputs.map(describeOptional).join(", ")}`, "shapes that fit");
    throw error;
  }
  const all = "dtype" in found ? [found] : found;
  const isSize = (size: Dim | undefined): boolean =>
    typeof size === "string" || (typeof size === "number" && Number.isSafeInteger(size) && size > 0);
  if (!all.every(({ shape }) => shape.every(isSize)))
    throw mismatch(node, `inputs ${inputs.map(describeOptional).join(", ")}`, "shapes that leave something");
  return all;
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

function unsupportedOp({ op, domain, name }: Node): DistillateError {
  return new DistillateError({
    code: "op-unsupported",
    message: `node ${name} is ${domain === "" ? "" : `${domain}.`}${op}, which is not in the table of ops (${Object.keys(RULES).join(", ")})`,
    hint: "Replace this part of the model by ops of the table.",
  });
}
