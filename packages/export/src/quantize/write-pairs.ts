/**
 * Writes a planned graph in QDQ form: what onnxruntime fuses into integer kernels.
 *
 *   activations  unsigned, asymmetric, one scale a tensor; one Quantize/Dequantize pair a tensor, shared by all readers
 *   weights      int8, symmetric; with a zero point where the integer kernel asks for it
 *   bias         int32 with scale = scale of the input times scale of the weight, no zero point
 *
 * A node that stays float between such pairs would be quantised by onnxruntime itself, one scale a tensor, when it is loaded
 * (WeightBiasQuantization). A Max that changes no value stands behind it and breaks that pattern.
 */
import type { Edge, Graph, Node, Tensor, Value } from "../graph.ts";
import { verify } from "../spec.ts";
import { scalar } from "../tensor.ts";
import { type Affine, affineFor } from "./affine.ts";
import type { Calibrated } from "./aids.ts";
import { createDraft, type Draft, integerTensor } from "./draft.ts";
import type { Plan } from "./plan.ts";
import { POLICY } from "./policy.ts";
import type { StaticPreset } from "./presets.ts";
import { quantizeBias, quantizeOperand, quantizeWeight, scaleTensor } from "./quantize-constant.ts";
import { calibratorOf, type Recipe } from "./recipe.ts";
import type { TensorReport } from "./report.ts";
import { scalesOf, weightedNode } from "./weighted-nodes.ts";

/** Ops whose weights onnxruntime quantises by itself. */
const REQUANTIZED = new Set(["Conv", "ConvTranspose", "Gemm"]);
/** The least float32: nothing is smaller. */
const LOWEST = -3.4028234663852886e38;

/** What is written, and into what. */
interface Writing extends Calibrated {
  readonly plan: Plan;
  readonly recipe: Recipe;
  readonly preset: StaticPreset;
  readonly draft: Draft;
  readonly report: (tensor: TensorReport) => void;
  readonly affineOf: (edge: Edge) => Affine | undefined;
}

/** See the file's header. */
export function writePairs(
  state: Calibrated,
  plan: Plan,
  recipe: Recipe,
  preset: StaticPreset,
): { readonly graph: Graph; readonly tensors: readonly TensorReport[] } {
  const { graph, ranges } = state;
  const { activations: type } = preset;
  const draft = createDraft();
  const tensors: TensorReport[] = [...plan.float];
  const affines = new Map([...ranges].map(([edge, range]) => [edge, affineFor(range, type)] as const));
  const affineOf = (edge: Edge): Affine | undefined => affines.get(plan.sources.get(edge) ?? "");
  const writing = {
    ...state,
    plan,
    recipe,
    preset,
    draft,
    affineOf,
    report: (tensor: TensorReport) => tensors.push(tensor),
  };
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const isRequantized = requantized(graph, plan);
  const renamed = new Map<Edge, Edge>();

  for (const input of graph.inputs) {
    if (affineOf(input.name) === undefined) continue;
    renamed.set(input.name, `${input.name}/dq`);
    writePair(writing, input, input.name, `${input.name}/dq`);
  }
  for (const node of graph.nodes) {
    const inputs = inputsOf(writing, node).map((edge) => renamed.get(edge) ?? edge);
    const isPair = (edge: Edge): boolean => affineOf(edge) !== undefined;
    // A model's output keeps its name: the pair's result bears it, and the node writes beside it.
    const nameOf = (edge: Edge): Edge => (isPair(edge) && outputs.has(edge) ? `${edge}/float` : edge);
    draft.nodes.push({ ...node, inputs, outputs: node.outputs.map(nameOf) });
    for (const edge of node.outputs) {
      if (edge === "") continue;
      let written: Value = { ...graph.values.get(edge)!, name: nameOf(edge) };
      draft.values.set(written.name, written);
      if (!isPair(edge)) continue;
      if (isRequantized(node)) {
        const guard = { ...written, name: `${edge}/guard` };
        draft.add({ op: "Max", inputs: [written.name, draft.shared(scalar(LOWEST))], output: guard });
        written = guard;
      }
      const result = outputs.has(edge) ? edge : `${edge}/dq`;
      if (result !== edge) renamed.set(edge, result);
      writePair(writing, written, edge, result);
    }
  }
  const { nodes, constants, values } = draft;
  const quantized = { ...graph, nodes, constants, values };
  verify(quantized);
  return { graph: quantized, tensors };
}

/** The pair of a tensor, behind a float value; what comes out of it bears `result`. */
function writePair(writing: Writing, value: Value, edge: Edge, result: Edge): void {
  const { draft, plan, ranges, preset, recipe } = writing;
  const type = preset.activations;
  const affine = writing.affineOf(edge)!;
  const constants = draft.affine(affine, type);
  const quantized = { ...value, name: `${edge}/q`, dtype: type };
  draft.add({ op: "QuantizeLinear", inputs: [value.name, ...constants], output: quantized });
  draft.add({
    op: "DequantizeLinear",
    inputs: [quantized.name, ...constants],
    output: { ...value, name: result },
    name: `${edge}/dq`,
  });
  const own = plan.sources.get(edge) === edge;
  const reason = calibratorOf(recipe, edge).kind === "given" ? "given" : "measured";
  writing.report({
    ...{ tensor: edge, role: "activation", dtype: type, ...affine },
    ...(own ? { reason, range: ranges.get(edge)! } : { reason: "shares-scale" }),
  });
}

/** The inputs that a node reads: constants as integers where it runs in integers. */
function inputsOf(writing: Writing, node: Node): readonly Edge[] {
  const { graph, plan, draft } = writing;
  const rule = plan.integer.has(node.name) ? POLICY[node.op]?.rule : undefined;
  if (rule === "weighted") return writeWeights(writing, node);
  for (const edge of node.inputs) {
    const tensor = graph.constants.get(edge);
    if (tensor === undefined) continue;
    if (rule === "computed") writeOperand(writing, edge, tensor);
    else draft.constants.set(edge, tensor);
  }
  return node.inputs;
}

function writeWeights(writing: Writing, node: Node): Edge[] {
  const { graph, draft, preset, affineOf, report } = writing;
  const input = node.inputs[0]!;
  const constant = weightedNode(graph, node);
  const { edge: weightEdge, weight, biasEdge, bias, axis } = constant;
  const inputScale = affineOf(input)!.scale;
  const scales = scalesOf(constant, writing, writing);
  // Two nodes may read one weight; each has the scales that its own bias allows.
  const name = draft.values.has(weightEdge) ? `${node.name}/${weightEdge}` : weightEdge;
  const { integers } = quantizeWeight(weight, scales, axis, preset.weightLimit);
  const shape = scales.length === 1 ? [] : [scales.length];
  const zero = POLICY[node.op]!.zeroPoint
    ? [draft.shared(integerTensor(new Int8Array(scales.length), shape, "int8"))]
    : [];
  writeDequantized(draft, { name, integers, scales, axis, zero });
  const reason = scales.length === 1 ? "per-tensor" : "per-channel";
  report({ tensor: weightEdge, role: "weight", dtype: "int8", reason });
  if (biasEdge === undefined || bias === undefined) return [input, name];

  if (preset.biases === "float32") {
    draft.constants.set(biasEdge, bias);
    report({ tensor: biasEdge, role: "bias", dtype: "float32", reason: "beyond-int32" });
    return [input, name, biasEdge];
  }
  const sums = draft.values.has(biasEdge) ? `${node.name}/${biasEdge}` : biasEdge;
  writeDequantized(draft, { name: sums, ...quantizeBias(bias, inputScale, scales), axis: 0, zero: [] });
  report({ tensor: biasEdge, role: "bias", dtype: "int32", reason: "from-scales" });
  return [input, name, sums];
}

function writeDequantized(
  draft: Draft,
  constant: {
    readonly name: Edge;
    readonly integers: Tensor;
    readonly scales: Float32Array;
    readonly axis: number;
    readonly zero: readonly Edge[];
  },
): void {
  const { name, integers, scales, axis, zero } = constant;
  draft.constants.set(`${name}/q`, integers).set(`${name}/scale`, scaleTensor(scales));
  draft.add({
    op: "DequantizeLinear",
    inputs: [`${name}/q`, `${name}/scale`, ...zero],
    output: { name, dtype: "float32", shape: integers.shape },
    name: `${name}/dq`,
    attrs: scales.length === 1 ? {} : { axis: { kind: "int", value: axis } },
  });
}

function writeOperand({ draft, preset, report }: Writing, edge: Edge, operand: Tensor): void {
  if (draft.values.has(edge)) return;
  const type = preset.activations;
  const { integers, affine } = quantizeOperand(operand, type);
  draft.constants.set(`${edge}/q`, integers);
  const value = { name: edge, dtype: "float32", shape: operand.shape } as const;
  const inputs = [`${edge}/q`, ...draft.affine(affine, type)];
  draft.add({ op: "DequantizeLinear", inputs, output: value, name: `${edge}/dq` });
  report({ tensor: edge, role: "constant", dtype: type, ...affine, reason: "per-tensor" });
}

/** Whether onnxruntime would quantise a node that stays float, through the clamps behind it. */
function requantized(graph: Graph, plan: Plan): (node: Node) => boolean {
  const writers = new Map(graph.nodes.map((node) => [node.outputs[0]!, node] as const));
  const isRequantized = (node: Node): boolean => {
    const before = writers.get(node.inputs[0]!);
    if (POLICY[node.op]?.rule === "clamps") return before !== undefined && isRequantized(before);
    return REQUANTIZED.has(node.op) && !plan.integer.has(node.name) && plan.sources.has(node.inputs[0]!);
  };
  return isRequantized;
}
