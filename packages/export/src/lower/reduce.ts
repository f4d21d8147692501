import { int, ints } from "../attr.ts";
import type { Edge } from "../graph.ts";
import { intTensor } from "../tensor.ts";
import type { GraphBuilder } from "./context.ts";

/** Adds a reduction: its axes are an attribute before opset 18 (13 for ReduceSum), an input since. */
export function reduce(
  op: "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum",
  name: string,
  edge: Edge,
  axes: readonly number[],
  keep: boolean,
  builder: GraphBuilder,
): Edge {
  const keepdims = int(keep ? 1 : 0);
  if (op !== "ReduceSum" && builder.opset < 18) return builder.add(op, name, [edge], { axes: ints(axes), keepdims });
  return builder.add(op, name, [edge, builder.constant(`${name}/axes`, intTensor(axes))], { keepdims });
}
