/**
 * The plan: which nodes run in integers and which tensors get a scale, from the graph and the recipe alone.
 *
 * A tensor is quantised when a node that runs in integers reads or writes it. Through an op that only moves values the want goes
 * back to its input, and both share one scale. An op that clamps fuses into the one before it; the tensor between stays float.
 */
import type { Edge, Graph, Node } from "../graph.ts";
import { obstacle, POLICY } from "./policy.ts";
import { type Recipe, settingsOf } from "./recipe.ts";
import type { Reason, TensorReport } from "./report.ts";

/** See the file's header. */
export interface Plan {
  /** Names of the nodes that run in integers. */
  readonly integer: ReadonlySet<string>;
  /** Each quantised activation, and the one whose range its scale is from: itself, or what it shares with. */
  readonly sources: ReadonlyMap<Edge, Edge>;
  /** Activations that stay float. */
  readonly float: readonly TensorReport[];
}

/** Makes the plan. */
export function planTensors(graph: Graph, recipe: Recipe): Plan {
  const writers = new Map(graph.nodes.flatMap((node) => node.outputs.map((edge) => [edge, node] as const)));
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const ruleOf = ({ op }: Node): string | undefined => POLICY[op]?.rule;

  const reasons = new Map<Node, Reason>();
  const integer = new Set<string>();
  for (const node of graph.nodes) {
    const reason = whyFloat(graph, recipe, node);
    const before = writers.get(node.inputs[0]!);
    if (reason !== undefined) reasons.set(node, reason);
    else if (ruleOf(node) === "clamps" && !(before && integer.has(before.name))) reasons.set(node, "op-not-quantised");
    else integer.add(node.name);
  }
  const isActivation = (edge: Edge): boolean => edge !== "" && !graph.constants.has(edge);
  const isFused = (edge: Edge): boolean => {
    const [next, ...others] = readers.get(edge) ?? [];
    return (
      next !== undefined &&
      others.length === 0 &&
      !outputs.has(edge) &&
      ruleOf(next) === "clamps" &&
      integer.has(next.name)
    );
  };

  // Backwards: what is wanted behind an op that moves values is wanted before it.
  const wanted = new Set<Edge>();
  const fused = new Set<Edge>();
  for (const node of graph.nodes.toReversed()) {
    const [edge] = node.outputs as [Edge];
    if (!integer.has(node.name)) continue;
    if (ruleOf(node) === "passes") {
      if (wanted.has(edge)) wanted.add(node.inputs[0]!);
      continue;
    }
    if (isFused(edge)) fused.add(edge);
    else if (wanted.has(edge) || !givesFloats(node, writers)) wanted.add(edge);
    const data = ruleOf(node) === "computed" ? node.inputs : node.inputs.slice(0, 1);
    for (const input of data) if (isActivation(input)) wanted.add(input);
  }
  for (const edge of fused) wanted.delete(edge);

  const sources = new Map<Edge, Edge>();
  const float: TensorReport[] = [];
  const keep = (tensor: Edge, reason: Reason): void => {
    float.push({ tensor, role: "activation", dtype: "float32", reason });
  };
  for (const { name, dtype } of graph.inputs) {
    if (wanted.has(name)) sources.set(name, name);
    else keep(name, dtype === "float32" ? "op-not-quantised" : "not-float32");
  }
  for (const node of graph.nodes) {
    const source = ruleOf(node) === "passes" && integer.has(node.name) ? sources.get(node.inputs[0]!) : undefined;
    for (const edge of node.outputs) {
      if (wanted.has(edge)) sources.set(edge, source ?? edge);
      else if (fused.has(edge)) keep(edge, "fused-into-next");
      else if (edge !== "") keep(edge, reasons.get(node) ?? "float-output");
    }
  }
  return { integer, sources, float };
}

function whyFloat(graph: Graph, recipe: Recipe, node: Node): Reason | undefined {
  if (POLICY[node.op] === undefined) return "op-not-quantised";
  if (settingsOf(recipe, node).precision === "float") return "rule-says-float";
  return obstacle(graph, node);
}

/** Also through the clamp that fuses into it. */
function givesFloats(node: Node, writers: ReadonlyMap<Edge, Node>): boolean {
  const policy = POLICY[node.op]!;
  const before = writers.get(node.inputs[0]!);
  return (
    policy.floatOutput === true ||
    (policy.rule === "clamps" && before !== undefined && POLICY[before.op]?.floatOutput === true)
  );
}

function readersOf(graph: Graph): ReadonlyMap<Edge, readonly Node[]> {
  const readers = new Map<Edge, Node[]>();
  for (const node of graph.nodes)
    for (const edge of new Set(node.inputs)) readers.set(edge, [...(readers.get(edge) ?? []), node]);
  return readers;
}
