/**
 * How a pass rewrites a graph: a rule looks at one node at a time, with what is around it, and says what takes its place. Nodes that
 * nobody reads afterwards go; so a rule need not ask who else reads what it matched, unless sharing makes it a bad bargain.
 */
import type { Dim, Edge, Graph, Node, Pass, Tensor, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { removeUnused } from "./remove-unused.ts";

/** What a rule sees of the graph around a node. */
export interface Surroundings {
  readonly graph: Graph;
  writer(edge: Edge | undefined): Node | undefined;
  /** How many inputs of nodes, and outputs of the graph, an edge goes to. */
  readers(edge: Edge): number;
  constant(edge: Edge | undefined): Tensor | undefined;
  shape(edge: Edge | undefined): readonly Dim[] | undefined;
  /** A name for a new node or edge: the wished one, or that with a number. */
  fresh(wished: string): string;
}

/** What takes a node's place. */
export type Replacement =
  /** These nodes, in order; between them they write all that the node wrote. New constants, or new contents of old ones. */
  | { readonly nodes: readonly Node[]; readonly constants?: readonly (readonly [Edge, Tensor])[] }
  /** Nothing: who read its first output reads this edge. */
  | { readonly alias: Edge };

/** Says what takes a node's place; undefined where the rule does not fire. */
export type RewriteRule = (node: Node, around: Surroundings) => Replacement | undefined;

/** Each firing leaves less for the next sweep; a rule that feeds itself for ever is a defect. */
const MOST_SWEEPS = 1000;

/** The pass that applies a rule wherever it fires, until it fires nowhere. */
export function rewriting(rule: RewriteRule): Pass {
  return (graph) => {
    let current = graph;
    for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
      const next = sweepOnce(current, rule);
      if (next === current) return current;
      current = next;
    }
    throw new Error(`a rule still fires after ${MOST_SWEEPS} sweeps`);
  };
}

function sweepOnce(graph: Graph, rule: RewriteRule): Graph {
  const around = surroundingsOf(graph);
  const nodes: Node[] = [];
  const constants = new Map(graph.constants);
  const aliases = new Map<Edge, Edge>();
  let [changed, grew] = [false, false];
  for (const node of graph.nodes) {
    const found = rule(node, around);
    if (found === undefined || ("alias" in found && !canAlias(node, found.alias, aliases, around))) {
      nodes.push(node);
      continue;
    }
    changed = true;
    if ("alias" in found) aliases.set(node.outputs[0]!, found.alias);
    else {
      nodes.push(...found.nodes);
      for (const [name, tensor] of found.constants ?? []) constants.set(name, tensor);
      grew ||= found.nodes.some(({ outputs }) => outputs.some((edge) => !graph.values.has(edge)));
    }
  }
  if (!changed) return graph;
  const rest = removeUnused(renameEdges({ ...graph, nodes, constants }, aliases));
  return grew ? inferShapes(rest) : rest;
}

/** Built as far as a rule asks: most rules look at few nodes of a graph. */
function surroundingsOf(graph: Graph): Surroundings {
  const writers = once(() => {
    const found = new Map<Edge, Node>();
    for (const node of graph.nodes) for (const edge of node.outputs) found.set(edge, node);
    return found;
  });
  const counts = once(() => {
    const found = new Map<Edge, number>();
    const count = (edge: Edge): void => void found.set(edge, (found.get(edge) ?? 0) + 1);
    for (const { inputs } of graph.nodes) inputs.forEach(count);
    for (const { name } of graph.outputs) count(name);
    return found;
  });
  const taken = once(() => {
    const found = new Set([...writers().keys(), ...inputs.keys(), ...graph.constants.keys()]);
    for (const { name } of graph.nodes) found.add(name);
    return found;
  });
  const inputs = new Map<Edge, Value>();
  for (const value of graph.inputs) inputs.set(value.name, value);
  return {
    graph,
    writer: (edge) => (edge === undefined ? undefined : writers().get(edge)),
    readers: (edge) => counts().get(edge) ?? 0,
    constant: (edge) => (edge === undefined ? undefined : graph.constants.get(edge)),
    shape: (edge) =>
      edge === undefined ? undefined : (graph.constants.get(edge) ?? graph.values.get(edge) ?? inputs.get(edge))?.shape,
    fresh(wished) {
      let name = wished;
      for (let count = 2; taken().has(name); count++) name = `${wished}_${count}`;
      taken().add(name);
      return name;
    },
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** An output of the graph keeps its name: only a value that a node writes, for this reader alone, can take it. */
function canAlias(node: Node, edge: Edge, aliases: ReadonlyMap<Edge, Edge>, around: Surroundings): boolean {
  const isOutput = around.graph.outputs.some(({ name }) => name === node.outputs[0]);
  return !isOutput || (around.writer(edge) !== undefined && around.readers(edge) === 1 && !aliases.has(edge));
}

function renameEdges(graph: Graph, aliases: ReadonlyMap<Edge, Edge>): Graph {
  if (aliases.size === 0) return graph;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  // Where an output of the graph is another name of a value, the value takes the output's name.
  const renamed = new Map<Edge, Edge>();
  for (const name of outputs) if (aliases.has(name)) renamed.set(aliases.get(name)!, name);
  const nameOf = (edge: Edge): Edge => {
    let name = edge;
    while (aliases.has(name) && !outputs.has(name)) name = aliases.get(name)!;
    return renamed.get(name) ?? name;
  };
  const nodes = graph.nodes.map((node) => {
    const [inputs, written] = [node.inputs.map(nameOf), node.outputs.map((edge) => renamed.get(edge) ?? edge)];
    const same =
      inputs.every((edge, i) => edge === node.inputs[i]) && written.every((edge, i) => edge === node.outputs[i]);
    return same ? node : { ...node, inputs, outputs: written };
  });
  const values = new Map(graph.values);
  for (const edge of [...aliases.keys(), ...renamed.keys()]) if (!outputs.has(edge)) values.delete(edge);
  return { ...graph, nodes, values };
}
