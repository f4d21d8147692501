/** Ops on each element by itself, alone or with broadcasting. Source: ONNX, docs/Operators.md and docs/Changelog.md. */
import { MANY, type Rows, row, rows } from "./op-spec.ts";

/** Elementwise ops. */
export const ELEMENTWISE: Rows = {
  ...rows("Abs Ceil Erf Exp Floor Identity IsNaN Log Neg Reciprocal Relu Sigmoid Sign Sqrt Tanh", row(13, 1)),
  ...rows("Acos Asin Atan Cos Sin Tan", row(7, 1)),
  ...rows("Acosh Asinh Atanh Cosh Sinh", row(9, 1)),
  ...rows("Not Softplus Softsign", row(1, 1)),
  Cast: { ...row(13, 1, { to: "int" }), changes: [{ since: 19, attrs: { to: "int", saturate: "int" } }] },
  Celu: row(12, 1, { alpha: "float" }),
  Clip: row(13, [1, 3]),
  Dropout: { ...row(13, [1, 3], { seed: "int" }), outputs: [1, 2] },
  Elu: row(6, 1, { alpha: "float" }),
  Gelu: row(20, 1, { approximate: "string" }),
  HardSigmoid: row(6, 1, { alpha: "float", beta: "float" }),
  HardSwish: row(14, 1),
  IsInf: row(10, 1, { detect_negative: "int", detect_positive: "int" }),
  LeakyRelu: row(6, 1, { alpha: "float" }),
  Mish: row(18, 1),
  PRelu: row(9, 2),
  Round: row(11, 1),
  Selu: row(6, 1, { alpha: "float", gamma: "float" }),
  ThresholdedRelu: row(10, 1, { alpha: "float" }),

  ...rows("Add Div Equal Greater Less Mul Pow Sub", row(13, 2)),
  ...rows("GreaterOrEqual LessOrEqual", row(12, 2)),
  ...rows("And Or Xor", row(7, 2)),
  ...rows("Max Mean Min Sum", row(13, [1, MANY])),
  Mod: row(13, 2, { fmod: "int" }),
  Where: row(9, 3),
};
