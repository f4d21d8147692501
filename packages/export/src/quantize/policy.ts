/**
 * The policy: what static quantisation may do to each op on onnxruntime, as data.
 *
 * - `weighted`: activations unsigned, weights int8, bias int32.
 * - `computed`: the runtime has a quantised form between dequantised inputs and a quantised output.
 * - `clamps`: runs in integers when the op before it does, which it fuses into.
 * - `passes`: moves values of its first input or picks among them, and keeps their scale.
 *
 * Anything else stays float. Source: onnxruntime's QDQ selectors and rules, which fuse exactly these; every row is held against
 * the optimised graph in the tests.
 */
import type { Edge, Graph, Node } from "../graph.ts";
import type { Reason } from "./report.ts";

/** How an op is treated. */
export interface OpPolicy {
  readonly rule: "weighted" | "computed" | "clamps" | "passes";
  /** The runtime has an integer form that gives floats: before a model's output or a float op no pair is needed. */
  readonly floatOutput?: true;
  /** The weight needs a zero point to be fused, though it is zero. */
  readonly zeroPoint?: true;
}

/** The policy of each op. */
export const POLICY: { readonly [op: string]: OpPolicy } = {
  Add: { rule: "computed" },
  AveragePool: { rule: "computed" },
  Clip: { rule: "clamps" },
  Concat: { rule: "computed" },
  Conv: { rule: "weighted" },
  Flatten: { rule: "passes" },
  Gemm: { rule: "weighted", floatOutput: true, zeroPoint: true },
  GlobalAveragePool: { rule: "computed" },
  LeakyRelu: { rule: "computed" },
  MatMul: { rule: "weighted", floatOutput: true, zeroPoint: true },
  MaxPool: { rule: "passes" },
  Mul: { rule: "computed" },
  Relu: { rule: "clamps" },
  Reshape: { rule: "passes" },
  Resize: { rule: "passes" },
  Sigmoid: { rule: "computed" },
  Squeeze: { rule: "passes" },
  Transpose: { rule: "passes" },
  Unsqueeze: { rule: "passes" },
};

/** Where a weighted op's constant has its output channels. */
export function channelAxis({ op, attrs }: Node): number {
  return op === "Conv" || (attrs.transB?.kind === "int" && attrs.transB.value === 1) ? 0 : 1;
}

/** Why a node of a known op can't be quantised as it stands; `undefined` when it can. */
export function obstacle(graph: Graph, node: Node): Reason | undefined {
  const isFloat = (edge: Edge): boolean =>
    (graph.constants.get(edge) ?? graph.values.get(edge) ?? graph.inputs.find(({ name }) => name === edge))?.dtype ===
    "float32";
  if (!isFloat(node.inputs[0]!) || !isFloat(node.outputs[0]!)) return "not-float32";
  // A cubic curve overshoots: its values may leave the range that it would share.
  if (node.op === "Resize" && node.attrs.mode?.kind === "string" && node.attrs.mode.value === "cubic")
    return "form-not-quantised";
  if (POLICY[node.op]?.rule !== "weighted") return undefined;
  const [input, weight, bias] = node.inputs as [Edge, Edge, Edge | undefined];
  if (graph.constants.has(input)) return "form-not-quantised";
  if (!graph.constants.has(weight) || (bias !== undefined && !graph.constants.has(bias))) return "weight-not-constant";
  const isPlain = node.op === "Gemm" ? isPlainGemm(graph, node) : node.op === "Conv" || isMatrix(graph, weight);
  if (!isPlain) return "form-not-quantised";
  return undefined;
}

function isMatrix(graph: Graph, weight: Edge): boolean {
  return graph.constants.get(weight)!.shape.length === 2;
}

/** The integer kernel knows y = x w + b alone, with one bias a column. */
function isPlainGemm(graph: Graph, { inputs, attrs }: Node): boolean {
  const factor = (attr: Node["attrs"][string] | undefined): number => (attr?.kind === "float" ? attr.value : 1);
  const bias = graph.constants.get(inputs[2] ?? "");
  const weight = graph.constants.get(inputs[1]!)!;
  const columns = weight.shape[channelAxis({ op: "Gemm", attrs } as Node)]!;
  const fitting = bias === undefined || (bias.shape.at(-1) === columns && bias.bytes.byteLength === 4 * columns);
  return (
    factor(attrs.alpha) === 1 &&
    factor(attrs.beta) === 1 &&
    !(attrs.transA?.kind === "int" && attrs.transA.value === 1) &&
    fitting
  );
}
