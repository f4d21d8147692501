/** Ops of onnxruntime's own domain, com.microsoft, that files of ours use. Source: onnxruntime, docs/ContribOperators.md. */
import { type Rows, row } from "./op-spec.ts";

/** Rows by op; they have been there since long before opset 13. */
export const MICROSOFT: Rows = {
  GatherBlockQuantized: row(1, [3, 4], {
    bits: "int",
    block_size: "int",
    gather_axis: "int",
    quantize_axis: "int",
  }),
  MatMulNBits: row(1, [3, 6], { K: "int", N: "int", accuracy_level: "int", bits: "int", block_size: "int" }),
};
