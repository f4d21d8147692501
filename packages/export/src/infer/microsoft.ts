/** Rules of onnxruntime's own ops. */
import { int, type Rules } from "./rule.ts";

/** Rules of com.microsoft. */
export const MICROSOFT_RULES: Rules = {
  // Integers of less than a byte lie in bytes, along the last axis.
  GatherBlockQuantized: (node, [table, indices, scales]) => {
    const packed = table!.dtype === "uint8" ? 8 / int(node, "bits", 4) : 1;
    const row = table!.shape.slice(1);
    const last = row.at(-1)!;
    const depth = typeof last === "number" ? last * packed : last;
    return { dtype: scales!.dtype, shape: [...indices!.shape, ...row.slice(0, -1), depth] };
  },
  MatMulNBits: (node, [x]) => ({ dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), int(node, "N", 1)] }),
};
