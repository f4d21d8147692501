/**
 * Large products and tables in four bits, in blocks of 32 with a scale of their own; all other weights as in int8-weights:
 *
 *   Gemm, MatMul   MatMulNBits: w = (q - 8) s, q in 0..15, rows of the transposed weight, two to a byte, the lower half first
 *   Gather         GatherBlockQuantized, the same way along each row
 *
 * Both are ops of onnxruntime's own domain: its CPU, wasm and webgpu backends have them, other runtimes do not. The scale of a
 * block is the one of a small grid with the least squared error; it starts where onnxruntime's own quantiser (mlas/lib/q4_dq.cpp)
 * puts it, with the value of largest magnitude at -8.
 */
import { int } from "../../attr.ts";
import type { Edge, Graph, Node, Tensor, Value } from "../../graph.ts";
import { verify } from "../../spec.ts";
import { floatsOf, floatTensor, permute } from "../../tensor.ts";
import { roundEven } from "../affine.ts";
import type { TensorReport } from "../report.ts";
import { type StoredWeights, storeInt8Weights } from "./int8-weights.ts";
import { type StoredWeight, weightsOf } from "./weight-inputs.ts";

const BLOCK = 32;
const ZERO = 8;
/** Below that the scales of blocks, and kernels made for large products, gain nothing. */
const LEAST_ELEMENTS = 4096;
/** How far the largest value may be cut off, and on which side of zero it then lies. */
const RATIOS = [1, 0.95, 0.9, 0.85, 0.8].flatMap((ratio) => [ratio, -ratio]);

/** See the file's header. `only` limits it to some weights. */
export function storeInt4Weights(graph: Graph, only: (weight: StoredWeight) => boolean): StoredWeights {
  const chosen = new Map<Edge, Tensor>();
  for (const { edge, readers } of weightsOf(graph).filter(only)) {
    const tensor = graph.constants.get(edge)!;
    const [rows = 1, depth = 1] = tensor.shape;
    if (tensor.shape.length !== 2 || rows * depth < LEAST_ELEMENTS) continue;
    if (readers.every((node) => isProduct(node) || (node.op === "Gather" && depth % BLOCK === 0)))
      chosen.set(edge, tensor);
  }
  const rest = storeInt8Weights(graph, (weight) => only(weight) && !chosen.has(weight.edge));
  if (chosen.size === 0) return rest;

  const constants = new Map(rest.graph.constants);
  const values = new Map(rest.graph.values);
  const nodes: Node[] = [];
  const add = (op: string, domain: string, inputs: readonly Edge[], output: Value, attrs: Node["attrs"] = {}): void => {
    nodes.push({ op, domain, name: `${output.name}/${op}`, inputs, outputs: [output.name], attrs });
    values.set(output.name, output);
  };
  for (const node of rest.graph.nodes) {
    const weight = node.inputs.find((edge) => chosen.has(edge));
    if (weight === undefined) {
      nodes.push(node);
      continue;
    }
    const output = rest.graph.values.get(node.outputs[0]!)!;
    const isTable = node.op === "Gather";
    const [count, depth] = isTable || isTransposed(node) ? [0, 1] : [1, 0];
    const { shape } = chosen.get(weight)!;
    const [rows, length] = [shape[count]!, shape[depth]!];
    const name = `${weight}/${isTable ? "rows" : "q4"}`;
    if (!constants.has(name)) {
      const floats = floatsOf(chosen.get(weight)!);
      const { bytes, scales } = toInt4(count === 0 ? floats : permute(floats, shape, [1, 0]), rows, length);
      const blocks = Math.ceil(length / BLOCK);
      const packed = isTable ? [rows, length / 2] : [rows, blocks, BLOCK / 2];
      constants.delete(weight);
      constants.set(name, { dtype: "uint8", shape: packed, bytes });
      constants.set(`${name}/scale`, floatTensor(scales, isTable ? [rows, blocks] : [rows * blocks]));
    }
    const block = { bits: int(4), block_size: int(BLOCK) };
    const own = "com.microsoft";
    if (isTable) {
      const attrs = { ...block, gather_axis: int(0), quantize_axis: int(1) };
      add("GatherBlockQuantized", own, [name, node.inputs[1]!, `${name}/scale`], output, attrs);
      continue;
    }
    const bias = node.inputs[2] ?? "";
    const product = bias === "" ? output : { ...output, name: `${output.name}/product` };
    const attrs = { ...block, K: int(length), N: int(rows) };
    add("MatMulNBits", own, [node.inputs[0]!, name, `${name}/scale`], product, attrs);
    if (bias !== "") add("Add", "", [product.name, bias], output);
  }
  const blocks = [...chosen.keys()].map(
    (tensor): TensorReport => ({ tensor, role: "weight", dtype: "uint8", reason: "block-wise" }),
  );
  const result = { ...rest.graph, nodes, constants, values };
  verify(result);
  return { graph: result, tensors: [...rest.tensors, ...blocks] };
}

/** A product that MatMulNBits can stand for. */
function isProduct({ op, attrs: { alpha, beta, transA } }: Node): boolean {
  if (op === "MatMul") return true;
  const isOne = (attr: typeof alpha): boolean => attr === undefined || (attr.kind === "float" && attr.value === 1);
  return op === "Gemm" && isOne(alpha) && isOne(beta) && !(transA?.kind === "int" && transA.value === 1);
}

function isTransposed({ attrs: { transB } }: Node): boolean {
  return transB?.kind === "int" && transB.value === 1;
}

/** Rows in blocks, the last of a row filled up with zeros. */
function toInt4(floats: Float32Array, rows: number, length: number): { bytes: Uint8Array; scales: Float32Array } {
  const blocks = Math.ceil(length / BLOCK);
  const scales = new Float32Array(rows * blocks);
  const bytes = new Uint8Array((rows * blocks * BLOCK) / 2).fill(ZERO | (ZERO << 4));
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * length + block * BLOCK;
      const values = floats.subarray(from, Math.min(from + BLOCK, (row + 1) * length));
      const place = row * blocks + block;
      const scale = bestScale(values);
      scales[place] = scale;
      for (const [i, value] of values.entries()) {
        const at = (place * BLOCK + i) >> 1;
        const shift = (i & 1) * 4;
        bytes[at] = (bytes[at]! & ~(15 << shift)) | (toCode(value, scale) << shift);
      }
    }
  }
  return { bytes, scales };
}

function bestScale(values: Float32Array): number {
  const largest = values.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  let [best, least] = [1, Number.POSITIVE_INFINITY];
  if (largest === 0) return best;
  for (const ratio of RATIOS) {
    const scale = Math.fround((-largest * ratio) / ZERO);
    let error = 0;
    for (const value of values) error += (value - (toCode(value, scale) - ZERO) * scale) ** 2;
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}

function toCode(value: number, scale: number): number {
  return Math.min(15, Math.max(0, roundEven(value / scale) + ZERO));
}
