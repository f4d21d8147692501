/**
 * The float16 variant: float32 constants and values become float16, half the bytes; the model's own inputs and outputs stay float32
 * behind a Cast.
 *
 * A node stays in float32, with its reason in the result, where its op wants float32 (BLOCKED) or where a constant of it does not
 * fit: float16 ends at 65504. Runs last of all, on a graph that is typed and shaped.
 */
import { int } from "../attr.ts";
import type { DType, Edge, Graph, Node, Tensor } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { floatsOf } from "../tensor.ts";

/** Ops that take float32 only: quantisation's scales, sizes, and tensors in attributes. */
const BLOCKED = new Set([
  "ConstantOfShape",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
  "QuantizeLinear",
  "Range",
  "Resize",
]);
const LARGEST = 65504;
const [FLOAT, HALF] = [1, 10];

/** A node that stays in float32. */
export interface KeptFloat {
  readonly node: string;
  readonly reason: string;
}

/** A graph in float16, and what stayed behind. */
export interface Float16Graph {
  readonly graph: Graph;
  readonly kept: readonly KeptFloat[];
}

/**
 * See the file's header. A graph that has float16 in it already comes back as it is.
 *
 * @param wish - Why else a node shall stay in float32; none without.
 */
export function castFloat16(graph: Graph, wish: (node: Node) => string | undefined = () => undefined): Float16Graph {
  const types = new Map<Edge, DType>();
  for (const [name, { dtype }] of [...graph.constants, ...graph.values]) types.set(name, dtype);
  for (const { name, dtype } of graph.inputs) types.set(name, dtype);
  if ([...types.values()].includes("float16") || ![...types.values()].includes("float32")) return { graph, kept: [] };
  const isFloat = (edge: Edge): boolean => types.get(edge) === "float32";
  const kept = graph.nodes.flatMap((node): KeptFloat[] => {
    const reason = reasonToKeep(graph, node) ?? wish(node);
    return reason !== undefined && [...node.inputs, ...node.outputs].some(isFloat) ? [{ node: node.name, reason }] : [];
  });
  const stays = new Set(kept.map(({ node }) => node));
  const outputs = new Set(graph.outputs.map(({ name }) => name).filter(isFloat));
  const constants = new Map<Edge, Tensor>();
  const nodes: Node[] = [];
  const made = new Set<Edge>();
  const cast = (from: Edge, to: Edge, type: number): Edge => {
    if (!made.has(to)) {
      made.add(to);
      nodes.push({
        op: "Cast",
        domain: "",
        name: `${to}/cast`,
        inputs: [from],
        outputs: [to],
        attrs: { to: int(type) },
      });
    }
    return to;
  };
  // Inputs, and what a kept node writes, exist in float32 first: only what float16 readers want of them is cast.
  const full = new Map<Edge, Edge>(graph.inputs.map(({ name }) => [name, name]));
  const halfOf = (edge: Edge): Edge => (full.get(edge) === edge || outputs.has(edge) ? `${edge}/half` : edge);
  const read = (edge: Edge, isKept: boolean): Edge => {
    if (!isFloat(edge)) return edge;
    const constant = graph.constants.get(edge);
    if (constant !== undefined) {
      const name = isKept ? `${edge}/float` : edge;
      constants.set(name, isKept ? constant : halfTensor(constant));
      return name;
    }
    const whole = full.get(edge);
    if (isKept) return whole ?? (outputs.has(edge) ? edge : cast(edge, `${edge}/float`, FLOAT));
    return whole === undefined ? halfOf(edge) : cast(whole, halfOf(edge), HALF);
  };
  for (const node of graph.nodes) {
    const isKept = stays.has(node.name);
    const sources = node.inputs.map((edge) => read(edge, isKept));
    if (isKept)
      for (const edge of node.outputs) if (isFloat(edge)) full.set(edge, outputs.has(edge) ? edge : `${edge}/full`);
    const written = node.outputs.map((edge) => (!isFloat(edge) ? edge : isKept ? full.get(edge)! : halfOf(edge)));
    const attrs =
      node.op === "Cast" && isFloat(node.outputs[0]!) && !isKept ? { ...node.attrs, to: int(HALF) } : node.attrs;
    nodes.push({ ...node, inputs: sources, outputs: written, attrs });
    if (!isKept) for (const edge of node.outputs) if (outputs.has(edge)) cast(halfOf(edge), edge, FLOAT);
  }
  for (const [name, tensor] of graph.constants) if (!isFloat(name)) constants.set(name, tensor);
  return { graph: inferShapes({ ...graph, nodes, constants, values: new Map() }), kept };
}

function reasonToKeep(graph: Graph, node: Node): string | undefined {
  if (BLOCKED.has(node.op)) return `${node.op} takes float32`;
  for (const edge of node.inputs) {
    const constant = graph.constants.get(edge);
    if (constant?.dtype !== "float32") continue;
    const largest = floatsOf(constant).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (largest > LARGEST) return `${edge} reaches ${largest}, float16 ends at ${LARGEST}`;
  }
  return undefined;
}

function halfTensor(tensor: Tensor): Tensor {
  const values = floatsOf(tensor);
  const bytes = new Uint8Array(values.length * 2);
  const view = new DataView(bytes.buffer);
  const bits = new DataView(new ArrayBuffer(4));
  for (const [i, value] of values.entries()) {
    bits.setFloat32(0, value);
    view.setUint16(2 * i, halfBits(bits.getUint32(0)), true);
  }
  return { dtype: "float16", shape: tensor.shape, bytes };
}

/** The bits of the nearest float16, ties to even, of a float32 given by its bits. */
function halfBits(float: number): number {
  const sign = (float >>> 16) & 0x8000;
  const exponent = ((float >>> 23) & 0xff) - 127 + 15;
  const mantissa = float & 0x7fffff;
  if (exponent >= 31) return sign | (((float >>> 23) & 0xff) === 255 && mantissa !== 0 ? 0x7e00 : 0x7c00);
  if (exponent < -10) return sign;
  // Below the least normal number the leading one becomes a digit like the others.
  const [digits, shift] = exponent > 0 ? [mantissa, 13] : [mantissa | 0x800000, 14 - exponent];
  const half = (exponent > 0 ? exponent << 10 : 0) + (digits >>> shift);
  const rest = digits & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (rest > tie || (rest === tie && (half & 1) === 1) ? half + 1 : half);
}
