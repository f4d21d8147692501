/**
 * Files of opset 7 to 12 read as opset 13: possible for every op that had the same form then. Source: ONNX, docs/Changelog.md.
 *
 * By op, the first opset whose form is that of 13; what 13 added since are types, attributes with a default, or negative axes.
 */
import type { Node } from "../graph.ts";
import { unsupported } from "./read-message.ts";

const FORMS: readonly (readonly [since: number, ops: string])[] = [
  [
    7,
    "Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool Cast Ceil Concat Constant Conv ConvTranspose Cos DepthToSpace Div Elu Equal Exp " +
      "Flatten Floor Gather Gemm GlobalAveragePool GlobalMaxPool Greater GRU HardSigmoid Identity InstanceNormalization LeakyRelu Less Log " +
      "LpNormalization LRN LSTM MatMul Mul Neg Not Or Pow PRelu Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax " +
      "ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu Reshape RNN Selu Shape Sigmoid Sin Size Softplus Softsign SpaceToDepth Sqrt Sub Tan " +
      "Tanh Tile Transpose Xor",
  ],
  [8, "Expand Max MaxPool Mean Min Sum"],
  [
    9,
    "Acosh Asinh Atanh BatchNormalization ConstantOfShape Cosh Erf IsNaN MeanVarianceNormalization OneHot Sign Sinh Where",
  ],
  [
    10,
    "ConvInteger DequantizeLinear IsInf MatMulInteger Mod QuantizeLinear ReverseSequence Slice ThresholdedRelu TopK",
  ],
  [11, "Clip CumSum DynamicQuantizeLinear GatherElements GatherND Pad Range Resize Round ScatterElements ScatterND"],
  [12, "Celu Dropout Einsum GreaterOrEqual LessOrEqual"],
];

const SINCE = new Map(FORMS.flatMap(([since, ops]) => ops.split(" ").map((op) => [op, since] as const)));

/** The first opset that can be lifted. */
export const LOWEST_LIFTED = 7;

/**
 * Checks that a node of an older opset means the same at opset 13.
 *
 * @throws DistillateError `onnx-unsupported`.
 */
export function checkLifted({ op, domain, name }: Pick<Node, "op" | "domain" | "name">, opset: number): void {
  const since = SINCE.get(op);
  if (domain !== "" || (since !== undefined && since <= opset)) return;
  throw unsupported(`${op} ${name} of opset ${opset}, whose form is not that of opset 13`);
}
