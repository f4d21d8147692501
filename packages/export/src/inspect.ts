/** What a graph is made of: ops, parameters, bytes, multiplications, and how each tensor is quantised. */
import type { DType, Edge, Graph, Node, Tensor, Value } from "./graph.ts";
import { ELEMENT_BYTES, floatsOf } from "./tensor.ts";

/** How a quantised activation or weight is written down. */
export interface QuantizedTensor {
  readonly tensor: Edge;
  readonly dtype: DType;
  /** Smallest and largest scale; equal for one scale a tensor. */
  readonly scale: readonly [number, number];
  readonly scales: number;
  readonly zero: number;
}

/** The summary that `distillate inspect` prints. */
export interface ModelSummary {
  readonly opset: number;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Nodes by op. */
  readonly ops: Readonly<Record<string, number>>;
  readonly parameters: number;
  /** Bytes of constants by element type. */
  readonly constantBytes: Readonly<Partial<Record<DType, number>>>;
  /** Multiplications with an addition, of Conv and Gemm, for one sample. */
  readonly macs: number;
  /** Largest sum of activations that live at the same time, one sample, bytes; constants are not in it. */
  readonly peakActivationBytes: number;
  readonly quantized: readonly QuantizedTensor[];
}

/** Summarises a graph whose values are typed and shaped; a symbolic dimension counts as 1. */
export function summarize(graph: Graph): ModelSummary {
  const ops: Record<string, number> = {};
  for (const { op } of graph.nodes) ops[op] = (ops[op] ?? 0) + 1;
  const constantBytes: Partial<Record<DType, number>> = {};
  for (const { dtype, bytes } of graph.constants.values()) {
    constantBytes[dtype] = (constantBytes[dtype] ?? 0) + bytes.byteLength;
  }
  return {
    opset: graph.opset,
    inputs: graph.inputs,
    outputs: graph.outputs,
    ops,
    parameters: countParameters(graph),
    constantBytes,
    macs: graph.nodes.reduce((sum, node) => sum + macsOf(graph, node), 0),
    peakActivationBytes: peakBytes(graph),
    quantized: quantizedTensors(graph),
  };
}

/** Values of all constants but scales and zero points. */
export function countParameters(graph: Graph): number {
  const about = new Set(
    graph.nodes.flatMap(({ op, inputs }) =>
      op === "QuantizeLinear" || op === "DequantizeLinear" ? inputs.slice(1) : [],
    ),
  );
  let parameters = 0;
  for (const [name, { shape }] of graph.constants) if (!about.has(name)) parameters += elements(shape);
  return parameters;
}

function macsOf(graph: Graph, node: Node): number {
  if (node.op !== "Conv" && node.op !== "Gemm") return 0;
  const weight = shapeOf(graph, node.inputs[1]!);
  const output = graph.values.get(node.outputs[0]!)!.shape;
  // A Conv's filter has its own channels, already divided by the groups; a Gemm sums over what the output has not.
  const terms = node.op === "Conv" ? elements(weight.slice(1)) : elements(weight) / sizeOf(output.at(-1)!);
  return elements(output) * terms;
}

function peakBytes(graph: Graph): number {
  const last = new Map<Edge, number>();
  for (const [index, node] of graph.nodes.entries()) for (const edge of node.inputs) last.set(edge, index);
  for (const { name } of graph.outputs) last.set(name, graph.nodes.length);
  const bytes = ({ dtype, shape }: Value): number => elements(shape) * ELEMENT_BYTES[dtype];
  const live = new Map(graph.inputs.map((value) => [value.name, bytes(value)] as const));
  const isComputed = (edge: Edge): boolean => graph.values.has(edge) && !isWeight(graph, edge);
  let peak = 0;
  for (const [index, node] of graph.nodes.entries()) {
    for (const edge of node.outputs) if (isComputed(edge)) live.set(edge, bytes(graph.values.get(edge)!));
    peak = Math.max(
      peak,
      [...live.values()].reduce((sum, size) => sum + size, 0),
    );
    for (const edge of node.inputs) if ((last.get(edge) ?? -1) <= index) live.delete(edge);
  }
  return peak;
}

/** A dequantised constant is no activation: runtimes fold it. */
function isWeight(graph: Graph, edge: Edge): boolean {
  const writer = graph.nodes.find(({ outputs }) => outputs.includes(edge));
  return writer?.op === "DequantizeLinear" && graph.constants.has(writer.inputs[0]!);
}

function quantizedTensors(graph: Graph): readonly QuantizedTensor[] {
  return graph.nodes.flatMap((node) => {
    const [x, scale, zero] = node.inputs;
    const isConstant = graph.constants.has(x!);
    const wanted = node.op === "QuantizeLinear" || (node.op === "DequantizeLinear" && isConstant);
    const scales = wanted ? graph.constants.get(scale!) : undefined;
    if (scales?.dtype !== "float32") return [];
    const values = floatsOf(scales);
    const dtype = isConstant ? graph.constants.get(x!)!.dtype : graph.values.get(node.outputs[0]!)!.dtype;
    const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    const tensor = isConstant ? node.outputs[0]! : x!;
    return [
      {
        tensor,
        dtype,
        scale: [least, most] as const,
        scales: values.length,
        zero: zeroOf(graph.constants.get(zero ?? "")),
      },
    ];
  });
}

function zeroOf(tensor: Tensor | undefined): number {
  if (tensor === undefined || tensor.bytes.byteLength === 0) return 0;
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  return tensor.dtype === "int8"
    ? view.getInt8(0)
    : tensor.dtype === "int32"
      ? view.getInt32(0, true)
      : view.getUint8(0);
}

function shapeOf(graph: Graph, edge: Edge): readonly (number | string)[] {
  return graph.constants.get(edge)?.shape ?? graph.values.get(edge)?.shape ?? [];
}

function elements(shape: readonly (number | string)[]): number {
  return shape.reduce<number>((product, size) => product * sizeOf(size), 1);
}

function sizeOf(size: number | string): number {
  return typeof size === "number" ? size : 1;
}
