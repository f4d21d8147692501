/**
 * Two recordings of one step must be the same, node for node: whatever JavaScript computed differently the second time would be
 * frozen in the graph.
 *
 * The one difference that is allowed is a declared feed. Both recordings were made with slightly different values of it, so a
 * constant that is the feed, or its negative, in both of them is the feed and nothing else.
 */
import { DTYPES } from "./binding.ts";
import { typeOf } from "./graph-builder.ts";
import type { Attr, GraphNode } from "./graph-def.ts";
import type { Recording } from "./recorder.ts";
import type { Obstacle, Traced } from "./step-recorder.ts";

/** A recording that holds for every step: feeds are placeholders. */
export interface Reconciled extends Recording {
  /** Placeholder of each feed that the step uses, by the feed's name. */
  readonly fed: ReadonlyMap<string, string>;
}

/** Puts feeds in the place of the constants that follow them; otherwise names the first difference. */
export function reconcile(one: Traced<Recording>, other: Traced<Recording>): Reconciled | Obstacle {
  const [a, b] = [one.recording, other.recording];
  if (a.nodes.length !== b.nodes.length) {
    const place = a.nodes.findIndex((node, i) => node.op !== b.nodes[i]?.op);
    const op = (b.nodes[place] ?? a.nodes[place] ?? b.nodes.at(-1))?.op;
    const reason = `one step was ${a.nodes.length} operations and the next ${b.nodes.length}: what it does depends on JavaScript`;
    return { reason, ...(op !== undefined && { op }) };
  }
  const fed = new Map<string, string>();
  const added: GraphNode[] = [];
  const nodes: GraphNode[] = [];
  for (const [place, node] of a.nodes.entries()) {
    const twin = b.nodes[place]!;
    if (sameNode(node, twin)) {
      nodes.push(node);
      continue;
    }
    const feed = feedOf(node, twin, one.feeds, other.feeds);
    if (feed === undefined) return differing(a.nodes, node, twin);
    const placeholder = fed.get(feed.name) ?? `feed_${feed.name}`;
    if (!fed.has(feed.name)) {
      fed.set(feed.name, placeholder);
      const attrs: GraphNode["attrs"] = { dtype: typeOf(DTYPES.float32), shape: { kind: "shape", value: [] } };
      added.push({ name: placeholder, op: "Placeholder", inputs: [], attrs });
    }
    const attrs = { T: typeOf(DTYPES.float32) };
    nodes.push({ name: node.name, op: feed.sign > 0 ? "Identity" : "Neg", inputs: [placeholder], attrs });
  }
  for (const [place, { id, name }] of a.outer.entries()) {
    if (b.outer[place]?.id === id) continue;
    const op = userOf(a.nodes, name);
    return {
      reason: "a tensor from outside of the step is another one at each step: make it an input",
      ...(op !== undefined && { op }),
    };
  }
  if (a.variables.some((variable, i) => variable !== b.variables[i])) {
    return { reason: "the step uses other variables each time" };
  }
  return { ...a, nodes: [...added, ...nodes], fed };
}

function feedOf(
  node: GraphNode,
  twin: GraphNode,
  first: Readonly<Record<string, number>>,
  second: Readonly<Record<string, number>>,
): { readonly name: string; readonly sign: number } | undefined {
  const [a, b] = [scalarOf(node), scalarOf(twin)];
  if (a === undefined || b === undefined) return undefined;
  for (const [name, value] of Object.entries(first)) {
    for (const sign of [1, -1]) {
      if (a === Math.fround(sign * value) && b === Math.fround(sign * second[name]!)) return { name, sign };
    }
  }
  return undefined;
}

function scalarOf({ op, attrs }: GraphNode): number | undefined {
  const { value } = attrs;
  if (op !== "Const" || value?.kind !== "tensor") return undefined;
  const { dtype, bytes } = value.value;
  if (dtype !== DTYPES.float32 || bytes.byteLength !== 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}

function differing(nodes: readonly GraphNode[], node: GraphNode, twin: GraphNode): Obstacle {
  if (node.op !== twin.op) {
    return { op: twin.op, reason: `one step had ${node.op} where the next had ${twin.op}` };
  }
  const op = userOf(nodes, node.name) ?? node.op;
  const what = node.op === "Const" || node.op === "Fill" ? "a constant that it is given" : `its ${node.op}`;
  return {
    op,
    reason: `${what} differs from step to step: JavaScript computes it anew; make it an input or declare it as a feed`,
  };
}

function userOf(nodes: readonly GraphNode[], name: string): string | undefined {
  return nodes.find(({ inputs }) => inputs.includes(name))?.op;
}

function sameNode(a: GraphNode, b: GraphNode): boolean {
  if (a.name !== b.name || a.inputs.length !== b.inputs.length) return false;
  if (a.inputs.some((input, i) => input !== b.inputs[i])) return false;
  const names = Object.keys(a.attrs);
  return names.length === Object.keys(b.attrs).length && names.every((name) => sameAttr(a.attrs[name]!, b.attrs[name]));
}

function sameAttr(a: Attr, b: Attr | undefined): boolean {
  if (b === undefined || a.kind !== b.kind) return false;
  if (a.kind === "tensor" && b.kind === "tensor") {
    return (
      a.value.dtype === b.value.dtype &&
      a.value.shape.join() === b.value.shape.join() &&
      Buffer.from(a.value.bytes).equals(b.value.bytes)
    );
  }
  return Object.is(a.value, b.value) || String(a.value) === String(b.value);
}
