/** Rules of ops on each element by itself. */

import type { DType, Node } from "../graph.ts";
import { DATA_TYPES } from "../onnx/messages.ts";
import { broadcast, int, mismatch, type Rule, type Rules, rulesFor } from "./rule.ts";

const same: Rule = (_node, [x]) => x!;

const together: Rule = (node, inputs) => ({
  dtype: inputs[0]!.dtype,
  shape: inputs.map((input) => input!.shape).reduce((a, b) => broadcast(node, a, b)),
});

const truth: Rule = (node, inputs, contents) => ({ ...together(node, inputs, contents), dtype: "bool" });

/** The element type behind ONNX' number for it. */
export function dtypeOf(node: Node, code: number): DType {
  const found = Object.entries(DATA_TYPES).find(([, type]) => type === code);
  if (found !== undefined) return found[0] as DType;
  throw mismatch(node, `element type ${code}`, `one of ${Object.keys(DATA_TYPES).join(", ")}`);
}

/** Rules of elementwise ops. */
export const ELEMENTWISE_RULES: Rules = {
  ...rulesFor(
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log " +
      "Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu",
    same,
  ),
  ...rulesFor("Add Div Max Mean Min Mod Mul Pow Sub Sum", together),
  ...rulesFor("And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Or Xor", truth),
  Cast: (node, [x]) => ({ dtype: dtypeOf(node, int(node, "to", 1)), shape: x!.shape }),
  Dropout: (_node, [x]) => [x!, { dtype: "bool", shape: x!.shape }],
  PRelu: same,
  Where: (node, [condition, a, b]) => ({
    dtype: a!.dtype,
    shape: broadcast(node, condition!.shape, broadcast(node, a!.shape, b!.shape)),
  }),
};
