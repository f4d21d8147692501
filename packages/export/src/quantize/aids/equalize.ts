/**
 * Cross-layer equalisation: between two layers with nothing but positively homogeneous ops, channel i may be divided by s_i > 0
 * in the first and multiplied by it in the second without changing the function. With r1 and r2 the largest magnitudes of the
 * channel's weights on either side,
 *
 *   s_i = sqrt(r1_i r2_i) / r2_i,   w1_i <- w1_i / s_i,   b1_i <- b1_i / s_i,   w2_i <- w2_i s_i
 *
 * makes both equal, so that neither the weights nor the activations of one channel drown those of another. Swept over all
 * pairs until nothing moves. Nagel et al. 2019 (arXiv 1906.04721), section 4.1.
 */
import type { Edge, Graph, Node } from "../../graph.ts";
import { floatsOf, floatTensor } from "../../tensor.ts";
import type { AidBefore, AidNote } from "../aids.ts";
import { channelAxis } from "../policy.ts";

/** f(s x) = s f(x) for s > 0, channel by channel; a Clip from 0 on without an upper end too, see `isHomogeneous`. */
const HOMOGENEOUS = new Set([
  "AveragePool",
  "Flatten",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "Identity",
  "LeakyRelu",
  "MaxPool",
  "Relu",
]);
const SWEEPS = 30;
const STILL = 1e-3;

/** From the place of a weight to the channel it belongs to. */
type ChannelOf = (index: number) => number;

interface Side {
  readonly edge: Edge;
  readonly values: Float32Array;
  readonly channelOf: ChannelOf;
}

interface Pair {
  readonly first: Node;
  readonly second: Node;
  readonly channels: number;
  readonly out: Side;
  readonly bias: Side | undefined;
  readonly into: Side;
}

/** See the file's header. */
export const equalize: AidBefore = (graph) => {
  // Every constant once, to be changed in place: a layer is the second of one pair and the first of the next.
  const changed = new Map<Edge, Float32Array>();
  const valuesOf = (edge: Edge): Float32Array => {
    if (!changed.has(edge)) changed.set(edge, floatsOf(graph.constants.get(edge)!).slice());
    return changed.get(edge)!;
  };
  const notes: AidNote[] = [];
  const pairs: Pair[] = [];
  const note = (node: Node, done: boolean, what: string): void => {
    notes.push({ aid: "equalize", node: node.name, done, what });
  };
  for (const first of graph.nodes) {
    if (!isLayer(graph, first)) continue;
    const found = partnerOf(graph, first);
    if (typeof found === "string") note(first, false, found);
    else pairs.push(pairOf(graph, first, found, valuesOf));
  }
  const start = new Map(pairs.map((pair) => [pair, spreadOf(pair)]));
  let sweeps = 0;
  for (let moved = Number.POSITIVE_INFINITY; moved > STILL && sweeps < SWEEPS; sweeps++)
    moved = pairs.reduce((most, pair) => Math.max(most, level(pair)), 0);
  for (const pair of pairs) {
    const what = `with ${pair.second.name}: the weights of its channels differed ${start.get(pair)!.toPrecision(3)} times, now ${spreadOf(pair).toPrecision(3)} times`;
    note(pair.first, true, what);
  }
  if (pairs.length === 0) return { graph, notes };
  const constants = new Map(graph.constants);
  for (const [edge, values] of changed) constants.set(edge, floatTensor(values, graph.constants.get(edge)!.shape));
  return { graph: { ...graph, constants }, notes };
};

/** Divides and multiplies; returns how far the most moved channel went, as a logarithm. */
function level({ channels, out, bias, into }: Pair): number {
  const [r1, r2] = [largestOf(out, channels), largestOf(into, channels)];
  const factors = r1.map((r, i) => (r > 0 && r2[i]! > 0 ? Math.sqrt(r * r2[i]!) / r2[i]! : 1));
  scale(out, (channel) => 1 / factors[channel]!);
  if (bias !== undefined) scale(bias, (channel) => 1 / factors[channel]!);
  scale(into, (channel) => factors[channel]!);
  return factors.reduce((most, factor) => Math.max(most, Math.abs(Math.log(factor))), 0);
}

function scale({ values, channelOf }: Side, factor: (channel: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i]! *= factor(channelOf(i));
}

function largestOf({ values, channelOf }: Side, channels: number): Float64Array {
  const largest = new Float64Array(channels);
  for (const [i, value] of values.entries()) largest[channelOf(i)] = Math.max(largest[channelOf(i)]!, Math.abs(value));
  return largest;
}

/** The largest channel of the first layer over its smallest. */
function spreadOf({ out, channels }: Pair): number {
  const ranges = largestOf(out, channels).filter((range) => range > 0);
  return ranges.reduce((a, b) => Math.max(a, b), 0) / ranges.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function isLayer(graph: Graph, { op, inputs, attrs }: Node): boolean {
  const isFloat = (edge: Edge | undefined): boolean => graph.constants.get(edge ?? "")?.dtype === "float32";
  const isPlain = [attrs.alpha, attrs.beta].every(
    (factor) => factor === undefined || (factor.kind === "float" && factor.value === 1),
  );
  const isUpright = !(attrs.transA?.kind === "int" && attrs.transA.value === 1);
  const hasBias = inputs[2] !== undefined && inputs[2] !== "";
  return (
    (op === "Conv" || op === "Gemm") && isPlain && isUpright && isFloat(inputs[1]) && (!hasBias || isFloat(inputs[2]))
  );
}

/** The layer that alone reads what this one writes, or why there is none. */
function partnerOf(graph: Graph, first: Node): Node | string {
  const readersOf = (edge: Edge): readonly Node[] => graph.nodes.filter(({ inputs }) => inputs.includes(edge));
  const own = [first, ...first.inputs.slice(1)].slice(1) as readonly Edge[];
  if (own.some((edge) => readersOf(edge).length > 1)) return "its weights are read by another node too";
  const channels = channelsOf(graph, first);
  if (own[1] !== undefined && own[1] !== "" && graph.constants.get(own[1])!.bytes.byteLength !== 4 * channels)
    return "its bias is not one a channel";
  for (let node = first; ; ) {
    const [edge] = node.outputs as [Edge];
    if (graph.outputs.some(({ name }) => name === edge)) return "it gives an output of the model";
    const [next, ...others] = readersOf(edge);
    if (next === undefined || others.length > 0) return `${others.length + (next ? 1 : 0)} nodes read what it gives`;
    if (isLayer(graph, next) && next.inputs[0] === edge) {
      if (readersOf(next.inputs[1]!).length > 1) return `the weights of ${next.name} are read by another node too`;
      return inputsOf(graph, next) % channels === 0 ? next : `${next.name} does not read it channel by channel`;
    }
    if (!isHomogeneous(graph, next) || next.inputs[0] !== edge) return whyNot(graph, next);
    node = next;
  }
}

function isHomogeneous(graph: Graph, node: Node): boolean {
  if (node.op !== "Clip") return HOMOGENEOUS.has(node.op);
  const [least, most] = endsOfClip(graph, node);
  return least === 0 && most === Number.POSITIVE_INFINITY;
}

/** Not a number where it is computed while the model runs. */
function endsOfClip(graph: Graph, { inputs: [, least = "", most = ""] }: Node): readonly [least: number, most: number] {
  const endOf = (edge: Edge, without: number): number => {
    const tensor = graph.constants.get(edge);
    if (edge === "") return without;
    return tensor?.dtype === "float32" ? floatsOf(tensor)[0]! : Number.NaN;
  };
  return [endOf(least, Number.NEGATIVE_INFINITY), endOf(most, Number.POSITIVE_INFINITY)];
}

/** ReLU6 is the usual case: cut at 6 s in one channel and 6 t in another it would be another op, which no kernel fuses. */
function whyNot(graph: Graph, node: Node): string {
  const [, most] = endsOfClip(graph, node);
  return node.op === "Clip" && Number.isFinite(most)
    ? `Clip ${node.name} behind it cuts all channels at ${most}: a channel that is scaled would be cut elsewhere`
    : `${node.op} ${node.name} behind it is not homogeneous`;
}

/** How many channels a layer writes. */
function channelsOf(graph: Graph, node: Node): number {
  return graph.constants.get(node.inputs[1]!)!.shape[channelAxis(node)]!;
}

/** How many it reads: of a Gemm behind a Flatten, all places of all channels. */
function inputsOf(graph: Graph, node: Node): number {
  const { shape } = graph.constants.get(node.inputs[1]!)!;
  return node.op === "Conv" ? shape[1]! * groupsOf(node) : shape[1 - channelAxis(node)]!;
}

function groupsOf({ attrs: { group } }: Node): number {
  return group?.kind === "int" ? group.value : 1;
}

function pairOf(graph: Graph, first: Node, second: Node, valuesOf: (edge: Edge) => Float32Array): Pair {
  const channels = channelsOf(graph, first);
  const [, kernel, bias] = first.inputs as [Edge, Edge, Edge | undefined];
  const { shape } = graph.constants.get(kernel)!;
  const inner = shape.slice(channelAxis(first) + 1).reduce((product, size) => product * size, 1);
  return {
    first,
    second,
    channels,
    out: { edge: kernel, values: valuesOf(kernel), channelOf: (i) => Math.floor(i / inner) % channels },
    bias: bias === undefined || bias === "" ? undefined : { edge: bias, values: valuesOf(bias), channelOf: (i) => i },
    into: {
      edge: second.inputs[1]!,
      values: valuesOf(second.inputs[1]!),
      channelOf: inputChannel(graph, second, channels),
    },
  };
}

/** Which input channel a weight multiplies. */
function inputChannel(graph: Graph, node: Node, channels: number): ChannelOf {
  const { shape } = graph.constants.get(node.inputs[1]!)!;
  const inputs = inputsOf(graph, node);
  if (node.op === "Gemm") {
    const places = inputs / channels;
    const columns = shape[1]!;
    return channelAxis(node) === 0
      ? (i) => Math.floor((i % columns) / places)
      : (i) => Math.floor(Math.floor(i / columns) / places);
  }
  const [filters, depth, ...kernel] = shape as [number, number, ...number[]];
  const taps = kernel.reduce((product, size) => product * size, 1);
  const filtersOfGroup = filters / groupsOf(node);
  return (i) => Math.floor(Math.floor(i / (depth * taps)) / filtersOfGroup) * depth + (Math.floor(i / taps) % depth);
}
