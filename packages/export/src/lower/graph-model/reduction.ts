/** Reductions over axes, which are remapped to where they lie. */
import { int } from "../../attr.ts";
import type { Edge } from "../../graph.ts";
import { reduce } from "../reduce.ts";
import { cast } from "./cast.ts";
import { axisOf, edgeAxis, imageOrder, settled } from "./layout.ts";
import { flagAttr, numbersIn, type OpLowering, type OpNode, type OpTable } from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";

type Reduction = Parameters<typeof reduce>[0];

/** Reduces over the axes that an input lists; over none leaves the value as it is. */
export function reduced(op: Reduction, node: OpNode, x: Traced, axes: Traced | undefined, build: Tracer): Traced {
  const value = settled(x, build);
  const given = axes === undefined ? value.order : numbersIn(node, axes, "axis", build);
  const gone = new Set(given.map((axis) => axisOf(value, axis)));
  if (gone.size === 0) return value;
  const keep = flagAttr(node, "keep_dims");
  const order = keep ? value.order : withoutAxes(value.order, gone);
  if (op === "ReduceMean" && isOverImage(value, gone)) {
    const pooled = build.add("GlobalAveragePool", node.name, [value.edge]);
    const flat = (): Edge => build.add("Flatten", `${node.name}/flatten`, [pooled], { axis: int(1) });
    return { edge: keep ? pooled : flat(), order };
  }
  const at = [...gone].map((axis) => edgeAxis(value, axis)).sort((a, b) => a - b);
  return { edge: reduce(op, node.name, value.edge, at, keep, build), order };
}

/** What is left of an order, its axes counted anew. */
export function withoutAxes(order: readonly number[], gone: ReadonlySet<number>): readonly number[] {
  const left = order.filter((axis) => !gone.has(axis));
  const sorted = left.toSorted((a, b) => a - b);
  return left.map((axis) => sorted.indexOf(axis));
}

/** All axes of an image but batch and channels. */
function isOverImage({ order }: Traced, gone: ReadonlySet<number>): boolean {
  const rank = order.length;
  if (rank !== 4 || gone.size !== 2) return false;
  return imageOrder(rank).every((axis, k) => order[k] === axis) && gone.has(1) && gone.has(2);
}

const reduction =
  (op: Reduction): OpLowering =>
  (node, [x, axis], build) => {
    const value = build.typeOf(x!.edge) === "bool" ? cast(x!, "int32", build) : x!;
    return reduced(op, node, value, axis, build);
  };

/** ONNX reduces truth values only as numbers. */
const ofTruth =
  (op: Reduction): OpLowering =>
  (node, [x, axis], build) => {
    const named = { ...node, name: `${node.name}/number` };
    return cast(reduced(op, named, cast(x!, "int32", build), axis, build), "bool", build, node.name);
  };

const argument =
  (op: "ArgMax" | "ArgMin"): OpLowering =>
  (node, [x, axis], build) => {
    const value = settled(x!, build);
    const at = axisOf(value, axis === undefined ? 0 : numbersIn(node, axis, "axis", build)[0]!);
    const attrs = { axis: int(edgeAxis(value, at)), keepdims: int(0) };
    const edge = build.add(op, `${node.name}/index`, [value.edge], attrs);
    return cast({ edge, order: withoutAxes(value.order, new Set([at])) }, "int32", build, node.name);
  };

const cumulative: OpLowering = (node, [x, axis], build) => {
  const value = settled(x!, build);
  const at = edgeAxis(value, numbersIn(node, axis, "axis", build)[0]!);
  const bytes = new Uint8Array(Int32Array.of(at).buffer);
  const along = build.constant(`${node.name}/axis`, { dtype: "int32", shape: [], bytes });
  const edge = build.add("CumSum", node.name, [value.edge, along], {
    exclusive: int(flagAttr(node, "exclusive") ? 1 : 0),
    reverse: int(flagAttr(node, "reverse") ? 1 : 0),
  });
  return { ...value, edge };
};

const COUNTING = {
  refused: "how long its result is depends on the values",
  hint: "Use OneHot and Sum over a fixed number of classes.",
};

/** Reductions. */
export const REDUCTION: OpTable = {
  All: ofTruth("ReduceMin"),
  Any: ofTruth("ReduceMax"),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  Bincount: COUNTING,
  Cumprod: {
    refused: "ONNX has no cumulative product",
    hint: "Sum the logarithms where all values are positive.",
  },
  Cumsum: cumulative,
  DenseBincount: COUNTING,
  Max: reduction("ReduceMax"),
  Mean: (node, [x, axis], build) => reduced("ReduceMean", node, cast(x!, "float32", build), axis, build),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  Sum: reduction("ReduceSum"),
};
