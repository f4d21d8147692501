/**
 * Weights stored in int8, everything computed in float32:
 *
 *   W = Cast(Wq) * s        Wq int8 in [-127, 127], s one float a channel
 *
 * onnxruntime folds Cast and Mul when it loads the file, on every backend, so nothing is slower than the float model; a
 * DequantizeLinear would stay in the graph as a node. A table that Gather reads keeps its integers in memory too: rows are looked
 * up first and scaled then. Symmetric per channel: Krishnamoorthi 2018 (arXiv 1806.08342), section 2.
 */
import { int } from "../../attr.ts";
import type { Edge, Graph, Node, Tensor, Value } from "../../graph.ts";
import { verify } from "../../spec.ts";
import { floatsOf, floatTensor } from "../../tensor.ts";
import { roundEven } from "../affine.ts";
import type { TensorReport } from "../report.ts";
import { type StoredWeight, weightsOf } from "./weight-inputs.ts";

/** A graph with its weights stored small, and what became of each. */
export interface StoredWeights {
  readonly graph: Graph;
  readonly tensors: readonly TensorReport[];
}

/** Two nodes and their names cost about so many bytes in a compact file: a weight that saves less stays as it is. */
const OVERHEAD_BYTES = 100;
const FLOAT = 1;
const LARGEST = 127;

/** See the file's header. `only` limits it to some weights; a graph without any comes back as it is. */
export function storeInt8Weights(graph: Graph, only: (weight: StoredWeight) => boolean): StoredWeights {
  const tensors: TensorReport[] = [];
  const stored = new Map<Edge, StoredWeight>();
  for (const weight of weightsOf(graph).filter(only)) {
    const { shape } = graph.constants.get(weight.edge)!;
    const scales = weight.axes.reduce((count, axis) => count * shape[axis]!, 1);
    const elements = shape.reduce((count, size) => count * size, 1);
    const pays = 3 * elements - 4 * scales > OVERHEAD_BYTES;
    if (pays) stored.set(weight.edge, weight);
    tensors.push({
      tensor: weight.edge,
      role: "weight",
      dtype: pays ? "int8" : "float32",
      reason: pays ? "per-channel" : "too-small",
    });
  }
  if (stored.size === 0) return { graph, tensors };

  const constants = new Map(graph.constants);
  const values = new Map(graph.values);
  const nodes: Node[] = [];
  const add = (op: string, inputs: readonly Edge[], output: Value, attrs: Node["attrs"] = {}): void => {
    nodes.push({ op, domain: "", name: `${output.name}/${op}`, inputs, outputs: [output.name], attrs });
    values.set(output.name, output);
  };
  for (const { edge, axes } of stored.values()) {
    const { integers, scales } = toInt8(graph.constants.get(edge)!, axes);
    constants.delete(edge);
    constants.set(`${edge}/q`, integers).set(`${edge}/scale`, scales);
  }
  const made = new Set<Edge>();
  for (const node of graph.nodes) {
    for (const edge of node.inputs) {
      if (!stored.has(edge) || made.has(edge) || node.op === "Gather") continue;
      made.add(edge);
      const value: Value = { name: edge, dtype: "float32", shape: graph.constants.get(edge)!.shape };
      add("Cast", [`${edge}/q`], { ...value, name: `${edge}/cast` }, { to: int(FLOAT) });
      add("Mul", [`${edge}/cast`, `${edge}/scale`], value);
    }
    const [table, rows] = node.inputs as [Edge, Edge];
    if (node.op === "Gather" && stored.has(table)) lookUp(node, table, rows);
    else nodes.push(node);
  }
  const result = { ...graph, nodes, constants, values };
  verify(result);
  return { graph: result, tensors };

  function lookUp(node: Node, table: Edge, rows: Edge): void {
    const output = graph.values.get(node.outputs[0]!)!;
    const edge = output.name;
    add("Gather", [`${table}/q`, rows], { ...output, name: `${edge}/q`, dtype: "int8" }, node.attrs);
    add("Cast", [`${edge}/q`], { ...output, name: `${edge}/cast` }, { to: int(FLOAT) });
    const rest = graph.constants.get(table)!.shape.length - 1;
    const ones = new Array<number>(rest).fill(1);
    const each = output.shape.slice(0, output.shape.length - rest);
    add(
      "Gather",
      [`${table}/scale`, rows],
      { ...output, name: `${edge}/scale`, shape: [...each, ...ones] },
      node.attrs,
    );
    add("Mul", [`${edge}/cast`, `${edge}/scale`], output);
  }
}

/** Integers of the weight's shape, and scales that broadcast over them. */
function toInt8(tensor: Tensor, axes: readonly number[]): { readonly integers: Tensor; readonly scales: Tensor } {
  const { shape } = tensor;
  const floats = floatsOf(tensor);
  const scaleShape = shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  const place = placesOf(shape, scaleShape);
  const scales = new Float32Array(scaleShape.reduce((count, size) => count * size, 1));
  for (const [i, value] of floats.entries()) scales[place(i)] = Math.max(scales[place(i)]!, Math.abs(value) / LARGEST);
  for (const [i, scale] of scales.entries()) if (scale === 0) scales[i] = 1;
  const integers = Int8Array.from(floats, (value, i) => {
    const q = roundEven(value / scales[place(i)]!);
    return Math.min(LARGEST, Math.max(-LARGEST, q));
  });
  return {
    integers: { dtype: "int8", shape, bytes: new Uint8Array(integers.buffer) },
    scales: floatTensor(scales, scaleShape),
  };
}

/** From the place of an element to the place of its scale. */
function placesOf(shape: readonly number[], scaleShape: readonly number[]): (index: number) => number {
  const strides = (sizes: readonly number[]): readonly number[] =>
    sizes.map((_, axis) => sizes.slice(axis + 1).reduce((product, size) => product * size, 1));
  const [outer, inner] = [strides(shape), strides(scaleShape)];
  const kept = shape.flatMap((size, axis) =>
    scaleShape[axis] === 1 ? [] : [{ size, from: outer[axis]!, to: inner[axis]! }],
  );
  return (index) => {
    let place = 0;
    for (const { size, from, to } of kept) place += (Math.floor(index / from) % size) * to;
    return place;
  };
}
