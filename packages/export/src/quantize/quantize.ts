/**
 * Static quantisation in QDQ form: what onnxruntime fuses into integer kernels.
 *
 *   activations  uint8, asymmetric, one scale a tensor; one Quantize/Dequantize pair a tensor, shared by all readers
 *   weights      int8, symmetric, one scale an output channel (axis 0)
 *   bias         int32 with scale = scale of the input times scale of the channel, no zero point
 *
 * A Relu or Clip after a weighted op gets the pair behind it, with zero point 0, and fuses into it.
 */
import type { Edge, Feeds, Graph, Node, Runner, Tensor, Value } from "../graph.ts";
import { verify } from "../spec.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { type AffineParameters, affineFor, roundEven, symmetricScale } from "./affine.ts";
import { POLICY } from "./policy.ts";
import { collectRanges, type Range } from "./ranges.ts";

/** What became of one tensor. */
export interface Decision {
  readonly tensor: Edge;
  readonly kind: "activation" | "weight" | "bias" | "float";
  /** For activations. */
  readonly scale?: number;
  readonly zero?: number;
  readonly range?: Range;
  readonly reason:
    | "measured"
    | "shares-scale"
    | "per-channel"
    | "from-scales"
    | "op-not-quantised"
    | "fused-into-next"
    | "model-output";
}

/** A quantised graph and what was decided, tensor by tensor. */
export interface Quantized {
  readonly graph: Graph;
  readonly decisions: readonly Decision[];
}

/**
 * Quantises a float graph with ranges measured on samples; inputs and outputs stay float32.
 *
 * @throws DistillateError as `collectRanges` does.
 */
export async function quantizeStatic(
  graph: Graph,
  options: { readonly run: Runner; readonly samples: Iterable<Feeds> },
): Promise<Quantized> {
  const ranges = await collectRanges(graph, options.run, options.samples);
  const { parameters, decisions } = chooseParameters(graph, ranges);
  return insertPairs(graph, parameters, decisions);
}

type Parameters = ReadonlyMap<Edge, AffineParameters>;

/** Which activations are quantised, and with what. */
function chooseParameters(
  graph: Graph,
  ranges: ReadonlyMap<Edge, Range>,
): { parameters: Parameters; decisions: Decision[] } {
  const parameters = new Map<Edge, AffineParameters>();
  const decisions: Decision[] = [];
  const readers = (edge: Edge): readonly Node[] => graph.nodes.filter(({ inputs }) => inputs.includes(edge));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const measure = (edge: Edge): void => {
    const range = ranges.get(edge)!;
    const affine = affineFor(range);
    parameters.set(edge, affine);
    decisions.push({ tensor: edge, kind: "activation", ...affine, range, reason: "measured" });
  };

  for (const { name } of graph.inputs) {
    if (readers(name).some(({ op }) => POLICY[op] !== undefined)) measure(name);
    else decisions.push({ tensor: name, kind: "float", reason: "op-not-quantised" });
  }
  for (const node of graph.nodes) {
    const edge = node.outputs[0]!;
    const rule = POLICY[node.op];
    const source = parameters.get(node.inputs[0]!);
    const next = readers(edge);
    const fuses = next.length === 1 && (next[0]!.op === "Relu" || next[0]!.op === "Clip");
    if (rule === undefined || (rule === "passes" && source === undefined)) {
      decisions.push({ tensor: edge, kind: "float", reason: "op-not-quantised" });
    } else if (rule === "passes") {
      parameters.set(edge, source!);
      decisions.push({ tensor: edge, kind: "activation", ...source!, reason: "shares-scale" });
    } else if (fuses && !outputs.has(edge)) {
      decisions.push({ tensor: edge, kind: "float", reason: "fused-into-next" });
    } else {
      measure(edge);
    }
  }
  return { parameters, decisions };
}

/** Writes the graph anew with pairs behind quantised tensors and integer weights. */
function insertPairs(graph: Graph, parameters: Parameters, decisions: Decision[]): Quantized {
  const nodes: Node[] = [];
  const constants = new Map<Edge, Tensor>();
  const values = new Map<Edge, Value>();
  const renamed = new Map<Edge, Edge>();
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const scalars = new Map<string, Edge>();
  const shared = (kind: "scale" | "zero", value: number): Edge => {
    const key = `${kind}:${value}`;
    const name = scalars.get(key) ?? `${kind}_${scalars.size}`;
    scalars.set(key, name);
    const tensor: Tensor =
      kind === "scale"
        ? floatTensor(Float32Array.of(value), [])
        : { dtype: "uint8", shape: [], bytes: Uint8Array.of(value) };
    constants.set(name, tensor);
    return name;
  };
  const add = (op: string, inputs: readonly Edge[], output: Value, attrs: Node["attrs"] = {}): void => {
    nodes.push({ op, domain: "", name: output.name, inputs, outputs: [output.name], attrs });
    values.set(output.name, output);
  };
  /** The pair behind a float edge; readers then read what comes out of it, which bears `result`. */
  const pair = (value: Value, { scale, zero }: AffineParameters, result: Edge): void => {
    const [s, z] = [shared("scale", scale), shared("zero", zero)];
    add("QuantizeLinear", [value.name, s, z], { ...value, name: `${result}/q`, dtype: "uint8" });
    add("DequantizeLinear", [`${result}/q`, s, z], { ...value, name: result });
  };

  for (const input of graph.inputs) {
    const affine = parameters.get(input.name);
    if (affine === undefined) continue;
    renamed.set(input.name, `${input.name}/dq`);
    pair(input, affine, `${input.name}/dq`);
  }
  for (const node of graph.nodes) {
    const edge = node.outputs[0]!;
    const value = graph.values.get(edge)!;
    const affine = parameters.get(edge);
    const inputScale = parameters.get(node.inputs[0]!)?.scale;
    const inputs =
      POLICY[node.op] === "weighted" && inputScale !== undefined
        ? quantizeWeights(graph, node, inputScale, { add, constants, decisions })
        : node.inputs.map((input) => keepConstant(graph, input, constants));
    const read = inputs.map((input) => renamed.get(input) ?? input);
    // A model's output keeps its name: the pair's result bears it, and the node writes beside it.
    const written = affine !== undefined && outputs.has(edge) ? `${edge}/float` : edge;
    nodes.push({ ...node, name: written, inputs: read, outputs: [written] });
    values.set(written, { ...value, name: written });
    if (affine === undefined) continue;
    const result = outputs.has(edge) ? edge : `${edge}/dq`;
    if (!outputs.has(edge)) renamed.set(edge, result);
    pair({ ...value, name: written }, affine, result);
  }
  const quantized = { ...graph, nodes, constants, values };
  verify(quantized);
  return { graph: quantized, decisions };
}

function quantizeWeights(
  graph: Graph,
  node: Node,
  inputScale: number,
  to: {
    readonly add: (op: string, inputs: readonly Edge[], output: Value, attrs?: Node["attrs"]) => void;
    readonly constants: Map<Edge, Tensor>;
    readonly decisions: Decision[];
  },
): readonly Edge[] {
  const [input, weight, bias] = node.inputs as [Edge, Edge, Edge | undefined];
  const tensor = graph.constants.get(weight)!;
  const floats = floatsOf(tensor);
  const channels = tensor.shape[0]!;
  const size = floats.length / channels;
  const scales = Float32Array.from({ length: channels }, (_, c) =>
    symmetricScale(floats.subarray(c * size, (c + 1) * size)),
  );
  const integers = Int8Array.from(floats, (value, i) => clamp(roundEven(value / scales[Math.floor(i / size)]!), 127));
  const axis = { axis: { kind: "int", value: 0 } } as const;

  to.constants.set(`${weight}/q`, { dtype: "int8", shape: tensor.shape, bytes: new Uint8Array(integers.buffer) });
  to.constants.set(`${weight}/scale`, floatTensor(scales, [channels]));
  to.add(
    "DequantizeLinear",
    [`${weight}/q`, `${weight}/scale`],
    { name: weight, dtype: "float32", shape: tensor.shape },
    axis,
  );
  to.decisions.push({ tensor: weight, kind: "weight", reason: "per-channel" });
  if (bias === undefined) return [input, weight];

  const biasScales = scales.map((scale) => scale * inputScale);
  const sums = Int32Array.from(floatsOf(graph.constants.get(bias)!), (value, c) =>
    clamp(roundEven(value / biasScales[c]!), 2 ** 31 - 1),
  );
  to.constants.set(`${bias}/q`, { dtype: "int32", shape: [channels], bytes: new Uint8Array(sums.buffer) });
  to.constants.set(`${bias}/scale`, floatTensor(biasScales, [channels]));
  to.add("DequantizeLinear", [`${bias}/q`, `${bias}/scale`], { name: bias, dtype: "float32", shape: [channels] }, axis);
  to.decisions.push({ tensor: bias, kind: "bias", reason: "from-scales" });
  return [input, weight, bias];
}

function keepConstant(graph: Graph, edge: Edge, constants: Map<Edge, Tensor>): Edge {
  const tensor = graph.constants.get(edge);
  if (tensor !== undefined) constants.set(edge, tensor);
  return edge;
}

function clamp(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
