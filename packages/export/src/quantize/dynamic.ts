/**
 * Weights as integers, activations turned into integers while the model runs, over the range that each batch has: no samples are
 * needed, and every batch pays for looking at its range.
 *
 *   x_q, s_x, z_x = DynamicQuantizeLinear(x)        uint8
 *   y = Cast(MatMulInteger(x_q, w_q, z_x)) * (s_x s_w) + b
 *
 * Gemm and MatMul with int8 weights, Conv with uint8 ones around 128 (onnxruntime's kernel for signed ones is a plain loop, slower
 * than float), a scale an output channel. Convolutions by groups and small weights gain nothing and stay float.
 */
import type { Attrs, DType, Edge, Graph, Node, Tensor } from "../graph.ts";
import { DATA_TYPES } from "../onnx/messages.ts";
import { verify } from "../spec.ts";
import { floatsOf, floatTensor, permute } from "../tensor.ts";
import { createDraft, type Draft, integerTensor } from "./draft.ts";
import { channelAxis, obstacle, POLICY } from "./policy.ts";
import { quantizeWeight, weightScales } from "./quantize-constant.ts";
import type { Reason, TensorReport } from "./report.ts";

/** Weights of fewer elements gain less than the range of the activations costs. */
const LEAST_ELEMENTS = 4096;
/** Where unsigned weights have their zero. */
const MIDDLE = 128;

/** See the file's header. */
export function quantizeDynamic(graph: Graph): { readonly graph: Graph; readonly tensors: readonly TensorReport[] } {
  const draft = createDraft();
  const tensors: TensorReport[] = [];
  const seen = new Set<Edge>();
  for (const node of graph.nodes) {
    const reason = whyFloat(graph, node);
    const [input, weight] = node.inputs as [Edge, Edge];
    if (reason === undefined) {
      if (!seen.has(input)) writeInput(draft, graph, input);
      if (!seen.has(input))
        tensors.push({ tensor: input, role: "activation", dtype: "uint8", reason: "measured-live" });
      seen.add(input);
      const dtype = writeProduct(draft, graph, node);
      tensors.push({ tensor: weight, role: "weight", dtype, reason: "per-channel" });
      continue;
    }
    draft.nodes.push(node);
    for (const edge of node.outputs) if (edge !== "") draft.values.set(edge, graph.values.get(edge)!);
    for (const edge of node.inputs)
      if (graph.constants.has(edge)) draft.constants.set(edge, graph.constants.get(edge)!);
    if (POLICY[node.op]?.rule === "weighted")
      tensors.push({ tensor: weight, role: "weight", dtype: "float32", reason });
  }
  const { nodes, constants, values } = draft;
  const quantized = { ...graph, nodes, constants, values };
  verify(quantized);
  return { graph: quantized, tensors };
}

function whyFloat(graph: Graph, node: Node): Reason | undefined {
  if (POLICY[node.op]?.rule !== "weighted") return "op-not-quantised";
  const reason = obstacle(graph, node);
  if (reason !== undefined) return reason;
  const { shape, bytes } = graph.constants.get(node.inputs[1]!)!;
  const isByGroups = node.attrs.group?.kind === "int" && node.attrs.group.value !== 1;
  if (isByGroups || (node.op !== "Conv" && shape.length !== 2)) return "form-not-quantised";
  return bytes.byteLength / 4 < LEAST_ELEMENTS ? "too-small" : undefined;
}

function writeInput(draft: Draft, graph: Graph, edge: Edge): void {
  const { shape } = graph.values.get(edge) ?? graph.inputs.find(({ name }) => name === edge)!;
  const outputs = ["q", "scale", "zero"].map((part) => `${edge}/${part}`);
  draft.nodes.push({
    op: "DynamicQuantizeLinear",
    domain: "",
    name: `${edge}/dynamic`,
    inputs: [edge],
    outputs,
    attrs: {},
  });
  for (const [i, name] of outputs.entries())
    draft.values.set(name, { name, dtype: i === 1 ? "float32" : "uint8", shape: i === 0 ? shape : [] });
}

/** The integers' product, its scale and its bias; what comes out bears the node's output. */
function writeProduct(draft: Draft, graph: Graph, node: Node): DType {
  const [input, weightEdge, biasEdge] = node.inputs as [Edge, Edge, Edge | undefined];
  const output = graph.values.get(node.outputs[0]!)!;
  const isConv = node.op === "Conv";
  const weight = isConv ? graph.constants.get(weightEdge)! : rowsLast(graph.constants.get(weightEdge)!, node);
  const axis = isConv ? 0 : 1;
  const scales = weightScales(weight, { axis, perChannel: true, limit: 127 });
  const { integers } = quantizeWeight(weight, scales, axis, 127);
  // One number a channel, against [batch, channels, ...] or [..., channels].
  const perChannel = isConv ? [scales.length, ...weight.shape.slice(2).map(() => 1)] : [scales.length];
  const [q, scale, zero] = ["q", "scale", "zero"].map((part) => `${input}/${part}`) as [Edge, Edge, Edge];
  const add = (
    op: string,
    part: string,
    inputs: readonly Edge[],
    dtype: DType,
    attrs: Attrs = {},
    shape = output.shape,
  ): Edge => {
    const name = part === "" ? output.name : `${output.name}/${part}`;
    draft.add({
      op,
      inputs,
      output: { name, dtype, shape },
      name: part === "" ? node.name : `${node.name}/${part}`,
      attrs,
    });
    return name;
  };
  const constant = (name: Edge, tensor: Tensor): Edge => {
    draft.constants.set(name, tensor);
    return name;
  };

  const operands = isConv
    ? [q, constant(`${weightEdge}/q`, unsigned(integers)), zero, draft.shared(integerTensor([MIDDLE], [], "uint8"))]
    : [q, constant(`${weightEdge}/q`, integers), zero];
  const sums = add(isConv ? "ConvInteger" : "MatMulInteger", "sums", operands, "int32", isConv ? node.attrs : {});
  const floats = add("Cast", "float", [sums], "float32", { to: { kind: "int", value: DATA_TYPES.float32! } });
  const weightScale = constant(`${weightEdge}/scale`, floatTensor(scales, perChannel));
  const factor = add("Mul", "factor", [scale, weightScale], "float32", {}, perChannel);
  const bias = graph.constants.get(biasEdge ?? "");
  if (bias === undefined) add("Mul", "", [floats, factor], "float32");
  else {
    const product = add("Mul", "product", [floats, factor], "float32");
    add("Add", "", [product, constant(biasEdge!, { ...bias, shape: perChannel })], "float32");
  }
  return isConv ? "uint8" : "int8";
}

/** `[inputs, outputs]`: a Gemm may hold its weight the other way round. */
function rowsLast(weight: Tensor, node: Node): Tensor {
  if (channelAxis(node) === 1) return weight;
  return floatTensor(permute(floatsOf(weight), weight.shape, [1, 0]), weight.shape.toReversed());
}

function unsigned({ shape, bytes }: Tensor): Tensor {
  return integerTensor(
    Int16Array.from(new Int8Array(bytes.buffer), (value) => value + MIDDLE),
    shape,
    "uint8",
  );
}
