/**
 * Writes a planned graph in QDQ form: what onnxruntime fuses into integer kernels.
 *
 *   activations  unsigned, asymmetric, one scale a tensor; one Quantize/Dequantize pair a tensor, shared by all readers
 *   weights      int8, symmetric
 *   bias         int32 with scale = scale of the input times scale of the weight, no zero point
 *
 * A node that stays float between such pairs would be quantised by onnxruntime itself, one scale a tensor, when it is loaded
 * (WeightBiasQuantization). A Max that changes no value stands behind it and breaks that pattern.
 */
import type { Edge, Graph, Node, Tensor, Value } from "../graph.ts";
import { verify } from "../spec.ts";
import { floatsOf, scalar } from "../tensor.ts";
import { type Affine, affineFor } from "./affine.ts";
import type { Calibrated } from "./aids.ts";
import type { Plan } from "./plan.ts";
import { POLICY } from "./policy.ts";
import type { StaticPreset } from "./presets.ts";
import { quantizeBias, quantizeWeight } from "./quantize-weight.ts";
import type { Recipe } from "./recipe.ts";
import type { TensorReport } from "./report.ts";
import { scalesOf, weightedNode } from "./weighted-nodes.ts";

/** Ops whose weights onnxruntime quantises by itself. */
const REQUANTIZED = new Set(["Conv", "ConvTranspose", "Gemm"]);

/** The least float32: nothing is smaller. */
const LOWEST = -3.4028234663852886e38;

/** See the file's header. */
export function writePairs(
  state: Calibrated,
  plan: Plan,
  recipe: Recipe,
  preset: StaticPreset,
): { readonly graph: Graph; readonly tensors: readonly TensorReport[] } {
  const { graph, ranges } = state;
  const { activations: type, weightLimit: limit } = preset;
  const nodes: Node[] = [];
  const constants = new Map<Edge, Tensor>();
  const values = new Map<Edge, Value>();
  const renamed = new Map<Edge, Edge>();
  const tensors: TensorReport[] = [...plan.float];
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const add = (op: string, inputs: readonly Edge[], output: Value, attrs: Node["attrs"] = {}): void => {
    nodes.push({ op, domain: "", name: output.name, inputs, outputs: [output.name], attrs });
    values.set(output.name, output);
  };
  const scalars = new Map<string, Edge>();
  const shared = (tensor: Tensor): Edge => {
    const key = `${tensor.dtype}:${tensor.bytes.join()}`;
    const name = scalars.get(key) ?? `${tensor.dtype === "float32" ? "scale" : "zero"}_${scalars.size}`;
    scalars.set(key, name);
    constants.set(name, tensor);
    return name;
  };
  const affineEdges = ({ scale, zero }: Affine): readonly [Edge, Edge] => [
    shared(scalar(scale)),
    shared(integers([zero], [], type)),
  ];
  const affineOf = (edge: Edge): Affine | undefined => {
    const source = plan.sources.get(edge);
    return source === undefined ? undefined : affineFor(ranges.get(source)!, type);
  };
  /** The pair behind a float edge; what comes out of it bears `result`. */
  const pair = (value: Value, edge: Edge, affine: Affine, result: Edge): void => {
    const range = plan.sources.get(edge) === edge ? ranges.get(edge) : undefined;
    add("QuantizeLinear", [value.name, ...affineEdges(affine)], { ...value, name: `${edge}/q`, dtype: type });
    add("DequantizeLinear", [`${edge}/q`, ...affineEdges(affine)], { ...value, name: result });
    tensors.push({
      tensor: edge,
      role: "activation",
      dtype: type,
      ...affine,
      ...(range === undefined ? { reason: "shares-scale" } : { range, reason: "measured" }),
    });
  };
  const dequantized = (
    name: Edge,
    { weight, scales }: { weight: Tensor; scales: Tensor },
    report: TensorReport,
    axis = 0,
  ): Edge => {
    if (values.has(name)) return name;
    constants.set(`${name}/q`, weight).set(`${name}/scale`, scales);
    const attrs: Node["attrs"] = scales.shape.length === 0 ? {} : { axis: { kind: "int", value: axis } };
    add("DequantizeLinear", [`${name}/q`, `${name}/scale`], { name, dtype: "float32", shape: weight.shape }, attrs);
    tensors.push(report);
    return name;
  };
  const weighted = (node: Node): readonly Edge[] => {
    const constant = weightedNode(graph, node);
    const { edge: weightEdge, weight, biasEdge, bias, axis } = constant;
    const input = node.inputs[0]!;
    const inputScale = affineOf(input)!.scale;
    const scales = scalesOf(constant, state, { plan, recipe, preset });
    const w = dequantized(
      weightEdge,
      quantizeWeight(weight, scales, axis, limit),
      { tensor: weightEdge, role: "weight", dtype: "int8", reason: scales.length === 1 ? "per-tensor" : "per-channel" },
      axis,
    );
    if (biasEdge === undefined || bias === undefined) return [input, w];
    const b = dequantized(biasEdge, quantizeBias(bias, inputScale, scales), {
      tensor: biasEdge,
      role: "bias",
      dtype: "int32",
      reason: "from-scales",
    });
    return [input, w, b];
  };
  /** A constant that an integer op reads beside activations. */
  const computed = (edge: Edge): Edge => {
    const tensor = graph.constants.get(edge);
    if (tensor === undefined) return edge;
    const floats = floatsOf(tensor);
    const affine = affineFor({ min: Math.min(0, ...floats), max: Math.max(0, ...floats) }, type);
    const q = Array.from(floats, (value) => Math.round(value / affine.scale) + affine.zero);
    if (!values.has(edge)) {
      constants.set(`${edge}/q`, integers(q, tensor.shape, type));
      add("DequantizeLinear", [`${edge}/q`, ...affineEdges(affine)], {
        name: edge,
        dtype: "float32",
        shape: tensor.shape,
      });
      tensors.push({ tensor: edge, role: "constant", dtype: type, ...affine, reason: "per-tensor" });
    }
    return edge;
  };
  const kept = (edge: Edge): Edge => {
    const tensor = graph.constants.get(edge);
    if (tensor !== undefined) constants.set(edge, tensor);
    return edge;
  };

  const writers = new Map(graph.nodes.map((node) => [node.outputs[0]!, node] as const));
  const isRequantized = (node: Node): boolean => {
    const before = writers.get(node.inputs[0]!);
    if (POLICY[node.op]?.rule === "clamps") return before !== undefined && isRequantized(before);
    return REQUANTIZED.has(node.op) && !plan.integer.has(node.name) && plan.sources.has(node.inputs[0]!);
  };

  for (const input of graph.inputs) {
    const affine = affineOf(input.name);
    if (affine === undefined) continue;
    renamed.set(input.name, `${input.name}/dq`);
    pair(input, input.name, affine, `${input.name}/dq`);
  }
  for (const node of graph.nodes) {
    const rule = plan.integer.has(node.name) ? POLICY[node.op]?.rule : undefined;
    const inputs = rule === "weighted" ? weighted(node) : node.inputs.map(rule === "computed" ? computed : kept);
    const edge = node.outputs[0]!;
    const value = graph.values.get(edge)!;
    const affine = affineOf(edge);
    // A model's output keeps its name: the pair's result bears it, and the node writes beside it.
    const written = affine !== undefined && outputs.has(edge) ? `${edge}/float` : edge;
    nodes.push({
      ...node,
      inputs: inputs.map((input) => renamed.get(input) ?? input),
      outputs: [written, ...node.outputs.slice(1)],
    });
    values.set(written, { ...value, name: written });
    for (const other of node.outputs.slice(1)) if (other !== "") values.set(other, graph.values.get(other)!);
    if (affine === undefined) continue;
    const result = outputs.has(edge) ? edge : `${edge}/dq`;
    if (!outputs.has(edge)) renamed.set(edge, result);
    let source: Value = { ...value, name: written };
    if (isRequantized(node)) {
      source = { ...value, name: `${edge}/as-is` };
      add("Max", [written, shared(scalar(LOWEST))], source);
    }
    pair(source, edge, affine, result);
  }
  const quantized = { ...graph, nodes, constants, values };
  verify(quantized);
  return { graph: quantized, tensors };
}

function integers(values: readonly number[], shape: readonly number[], type: "uint8" | "uint16"): Tensor {
  const array = type === "uint8" ? Uint8Array.from(values) : Uint16Array.from(values);
  return { dtype: type, shape, bytes: new Uint8Array(array.buffer) };
}
