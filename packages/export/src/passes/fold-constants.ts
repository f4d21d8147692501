/**
 * Computes what follows from constants alone, and the sizes of values whose shape is known.
 *
 * Fires when the result is no larger than the constants that it frees, or than 1 kB: weights that are stored small on purpose (int8
 * behind a Cast) stay as they are.
 */
import type { Pass, Tensor } from "../graph.ts";
import { evaluate } from "./evaluate.ts";
import { rewriting } from "./rewrite.ts";

const MAY_GROW = 1024;

/** See the file's header. */
export const foldConstants: Pass = rewriting((node, around) => {
  const [output] = node.outputs as [string];
  if (node.domain !== "" || node.outputs.length !== 1) return undefined;
  if (around.graph.outputs.some(({ name }) => name === output)) return undefined;
  const value = around.graph.values.get(output);
  if (value === undefined || !value.shape.every((size) => typeof size === "number")) return undefined;
  const shape = value.shape as readonly number[];
  const inputs = node.inputs.map((edge) => around.constant(edge));
  const isKnown = node.inputs.every((edge, i) => edge === "" || inputs[i] !== undefined);
  const result = isKnown
    ? evaluate(node, inputs, { dtype: value.dtype, shape })
    : node.op === "Shape"
      ? evaluate(node, [shapeOnly(around.shape(node.inputs[0]))], { dtype: value.dtype, shape })
      : undefined;
  if (result === undefined) return undefined;
  const freed = node.inputs.reduce(
    (sum, edge, i) => sum + (around.readers(edge) === 1 ? (inputs[i]?.bytes.byteLength ?? 0) : 0),
    0,
  );
  if (result.bytes.byteLength > Math.max(freed, MAY_GROW)) return undefined;
  return { nodes: [], constants: [[output, result]] };
});

/** Stands for a value of which only the shape is known. */
function shapeOnly(shape: readonly (number | string)[] | undefined): Tensor | undefined {
  if (shape?.every((size) => typeof size === "number") !== true) return undefined;
  return { dtype: "float32", shape: shape as readonly number[], bytes: new Uint8Array(0) };
}
