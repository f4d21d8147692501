/**
 * Types and shapes of every value, from the inputs on, by one rule an op (by family in `infer/`); the batch may stay symbolic.
 * Source of the rules: ONNX, docs/Operators.md.
 */
import { DistillateError } from "@distillate/bundle";
import type { Dim, Edge, Graph, Node, Tensor, Value } from "./graph.ts";
import { ARRANGEMENT_RULES } from "./infer/arrangement.ts";
import { constantContents, evaluateContents } from "./infer/contents.ts";
import { ELEMENTWISE_RULES } from "./infer/elementwise.ts";
import { MICROSOFT_RULES } from "./infer/microsoft.ts";
import { NETWORK_RULES } from "./infer/network.ts";
import { type Contents, mismatch, type Rule, type Rules, type Typed } from "./infer/rule.ts";

const RULES: Rules = { ...ARRANGEMENT_RULES, ...ELEMENTWISE_RULES, ...NETWORK_RULES };
const DOMAINS: { readonly [domain: string]: Rules } = { "": RULES, "com.microsoft": MICROSOFT_RULES };

/** Finds types, shapes and small contents node by node, as a graph is built or read. */
export interface Inference {
  input(value: Value): void;
  constant(name: Edge, tensor: Tensor): void;
  /**
   * What each output of a node is, but those left out; its inputs must be known already.
   *
   * @throws DistillateError `op-unsupported` for an op without a rule, `shape-mismatch` where shapes do not fit each other.
   */
  node(node: Node): readonly Value[];
  typeOf(edge: Edge): Typed | undefined;
  /** The whole numbers (or sizes) that a small value is known to hold before the model runs. */
  contentsOf(edge: Edge): readonly Dim[] | undefined;
}

/** Starts with nothing known. */
export function startInference(): Inference {
  const known = new Map<Edge, Typed>();
  const constants = new Map<Edge, Tensor>();
  const evaluated = new Map<Edge, readonly Dim[] | undefined>();
  const contentsOf = (edge: Edge): readonly Dim[] | undefined => {
    const constant = constants.get(edge);
    if (constant !== undefined && !evaluated.has(edge)) evaluated.set(edge, constantContents(constant));
    return evaluated.get(edge);
  };
  return {
    input: (value) => void known.set(value.name, value),
    constant(name, tensor) {
      known.set(name, tensor);
      constants.set(name, tensor);
    },
    node(node) {
      const rules = Object.hasOwn(DOMAINS, node.domain) ? DOMAINS[node.domain]! : {};
      const rule = Object.hasOwn(rules, node.op) ? rules[node.op] : undefined;
      if (rule === undefined) throw unsupportedOp(node);
      const inputs = node.inputs.map((edge) => known.get(edge));
      const lost = node.inputs.findIndex((edge, i) => edge !== "" && inputs[i] === undefined);
      if (lost >= 0 || inputs[0] === undefined) {
        throw mismatch(node, `input ${node.inputs[lost] ?? "(none)"}, which nothing before it writes`, "a value");
      }
      const found = applyRule(rule, node, inputs, (i) => contentsOf(node.inputs[i] ?? ""));
      return node.outputs.flatMap((name, i) => {
        if (name === "") return [];
        const typed = found[i];
        if (typed === undefined) throw mismatch(node, `${node.outputs.length} outputs`, `${found.length}`);
        const value = { name, dtype: typed.dtype, shape: typed.shape };
        known.set(name, value);
        if (i === 0) evaluated.set(name, evaluateContents(node, inputs, value, contentsOf));
        return value;
      });
    },
    typeOf: (edge) => known.get(edge),
    contentsOf,
  };
}

/**
 * Fills in type and shape of every value that a node writes. Returns the graph itself when nothing was missing.
 *
 * @throws DistillateError `op-unsupported` for an op without a rule, `shape-mismatch` where shapes do not fit each other or what
 * the graph declares.
 */
export function inferShapes(graph: Graph): Graph {
  const values = new Map<Edge, Value>();
  const inference = startInference();
  for (const [name, tensor] of graph.constants) inference.constant(name, tensor);
  for (const value of graph.inputs) inference.input(value);
  const declared = new Map([...graph.values, ...graph.outputs.map((value) => [value.name, value] as const)]);
  for (const node of graph.nodes) {
    for (const value of inference.node(node)) {
      const claim = declared.get(value.name);
      if (claim !== undefined && !agrees(claim, value)) {
        throw mismatch(node, `${value.name} as ${describe(value)}`, `${describe(claim)}, as the graph says`);
      }
      values.set(value.name, claim !== undefined && graph.values.get(value.name) === claim ? claim : value);
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
