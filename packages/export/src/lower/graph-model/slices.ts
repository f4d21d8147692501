/** Parts of a value: slices, splits, what an index picks. */
import { int } from "../../attr.ts";
import type { Dim, Edge } from "../../graph.ts";
import { MANY } from "../../spec/op-spec.ts";
import { intTensor } from "../../tensor.ts";
import { cast } from "./cast.ts";
import { axisOf, edgeAxis, plain, plainly, settled, shapeOf } from "./layout.ts";
import { numbersIn, type OpLowering, type OpNode, type OpTable, sizesIn, unsupportedOp, wholeAttr } from "./op-node.ts";
import { inShape, orRefuse } from "./shape.ts";
import type { Traced, Tracer } from "./trace.ts";

/** What is taken of one axis, by ONNX' rules: negative bounds count from the end. */
interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** The end of an axis, however long it is. */
export const END = 2 ** 31 - 1;

/** A Slice of these axes; whole axes are left out, the value itself is returned where nothing is left. */
export function sliced(value: Traced, ranges: readonly Range[], name: string, build: Tracer): Traced {
  const parts = ranges.filter(({ start, end, step }) => start !== 0 || end < END || step !== 1);
  if (parts.length === 0) return value;
  const bounds: readonly (readonly [string, readonly number[]])[] = [
    ["starts", parts.map(({ start }) => start)],
    ["ends", parts.map(({ end }) => end)],
    ["axes", parts.map(({ axis }) => edgeAxis(value, axis))],
    ...(parts.some(({ step }) => step !== 1) ? [["steps", parts.map(({ step }) => step)] as const] : []),
  ];
  const inputs = bounds.map(([part, numbers]) => build.constant(`${name}/${part}`, intTensor(numbers)));
  return { ...value, edge: build.add("Slice", name, [value.edge, ...inputs]) };
}

const slice: OpLowering = (node, [x, begin, size], build) => {
  const value = settled(x!, build);
  const shape = shapeOf(value, build);
  const starts = numbersIn(node, begin, "begin", build);
  const ranges = sizesIn(node, size, "size", build).map((count, axis): Range => {
    const start = starts[axis]!;
    const isRest = count === -1 || (start === 0 && count === shape[axis]);
    if (!isRest && typeof count !== "number") throw unsupportedOp(node, `its size is ${count}`, FIXED);
    return { axis, start, end: isRest ? END : start + (count as number), step: 1 };
  });
  return sliced(value, ranges, node.name, build);
};

const FIXED = "Convert the model with fixed input shapes, all but the batch.";

/** Masks say, bit by bit, which bounds are left open, which axes are dropped or new, and where `...` stands. */
const stridedSlice: OpLowering = (node, [x, begin, end, strides], build) => {
  const value = settled(x!, build);
  const shape = shapeOf(value, build);
  const has = (mask: string, i: number): boolean => ((wholeAttr(node, mask, 0) >> i) & 1) === 1;
  const starts = sizesIn(node, begin, "begin", build);
  const ends = sizesIn(node, end, "end", build);
  const steps = numbersIn(node, strides, "stride", build);
  const ranges: Range[] = [];
  /** Axes of the value that are kept, and `undefined` for new ones. */
  const kept: (number | undefined)[] = [];
  let axis = 0;
  for (const i of starts.keys()) {
    if (has("ellipsis_mask", i)) {
      const after = starts.slice(i + 1).filter((_, k) => !has("new_axis_mask", i + 1 + k)).length;
      while (axis < shape.length - after) kept.push(axis++);
    } else if (has("new_axis_mask", i)) kept.push(undefined);
    else {
      const isDropped = has("shrink_axis_mask", i);
      ranges.push(
        rangeOf(node, shape[axis]!, axis, {
          start: has("begin_mask", i) && !isDropped ? undefined : starts[i]!,
          end: has("end_mask", i) ? undefined : ends[i]!,
          step: steps[i]!,
          isDropped,
        }),
      );
      if (!isDropped) kept.push(axis);
      axis++;
    }
  }
  while (axis < shape.length) kept.push(axis++);
  const isSame = kept.length === shape.length && kept.every((from, i) => from === i);
  const part = sliced(value, ranges, isSame ? node.name : `${node.name}/slice`, build);
  if (isSame) return part;
  const sizes = shapeOf(part, build);
  const target = kept.map((from) => (from === undefined ? 1 : sizes[from]!));
  return orRefuse(node, inShape(part, target, build, node.name));
};

function rangeOf(
  node: OpNode,
  size: Dim,
  axis: number,
  { start, end, step, isDropped }: { start: Dim | undefined; end: Dim | undefined; step: number; isDropped: boolean },
): Range {
  if (typeof start === "string" || (typeof end === "string" && end !== size && !isDropped))
    throw unsupportedOp(node, `its bounds are ${start} and ${end}`, FIXED);
  if (isDropped) return { axis, start: start!, end: start === -1 ? END : start! + 1, step: 1 };
  const isOpen = end === undefined || end === size;
  if (step > 0) return { axis, start: start ?? 0, end: isOpen ? END : (end as number), step };
  return { axis, start: start ?? END, end: end === undefined ? -END : Number(end), step };
}

const reverse: OpLowering = (node, [x, dims], build) => {
  const value = settled(x!, build);
  const given = numbersIn(node, dims, "axes", build);
  const isMask = build.typeOf(dims!.edge) === "bool";
  const axes = isMask ? given.flatMap((isTurned, axis) => (isTurned ? [axis] : [])) : given;
  const ranges = axes.map((axis): Range => ({ axis, start: -1, end: -END, step: -1 }));
  return sliced(value, ranges, node.name, build);
};

/** A value in parts of these sizes along an axis. */
function parts(node: OpNode, value: Traced, axis: number, sizes: readonly number[], build: Tracer): readonly Traced[] {
  const { name } = node;
  if (sizes.length === 1) return [value];
  const edges = sizes.map((_, i) => build.reserve(`${name}:${i}`));
  const split = build.constant(`${name}/sizes`, intTensor(sizes));
  build.addMany("Split", name, [value.edge, split], { axis: int(edgeAxis(value, axis)) }, edges);
  return edges.map((edge) => ({ ...value, edge }));
}

/** As many sizes as an op may have outputs. */
function evenly(node: OpNode, count: number, size: number): readonly number[] {
  if (count > MANY) throw unsupportedOp(node, `it has ${count} parts, more than ${MANY}`, "Keep them in one value.");
  return new Array<number>(count).fill(size);
}

function fixedSize(node: OpNode, value: Traced, axis: number, build: Tracer): number {
  const size = shapeOf(value, build)[axisOf(value, axis)];
  if (typeof size === "number") return size;
  throw unsupportedOp(node, `its axis ${axis} has the open size ${size}`, FIXED);
}

const split: OpLowering = (node, [axisInput, x], build) => {
  const value = settled(x!, build);
  const axis = numbersIn(node, axisInput, "axis", build)[0]!;
  const count = wholeAttr(node, "num_split", 1);
  const size = fixedSize(node, value, axis, build) / count;
  return parts(node, value, axis, evenly(node, count, size), build);
};

const splitV: OpLowering = (node, [x, sizesInput, axisInput], build) => {
  const value = settled(x!, build);
  const axis = numbersIn(node, axisInput, "axis", build)[0]!;
  const given = numbersIn(node, sizesInput, "sizes", build);
  const known = given.reduce((sum, size) => sum + Math.max(size, 0), 0);
  const sizes = given.map((size) => (size < 0 ? fixedSize(node, value, axis, build) - known : size));
  return parts(node, value, axis, sizes, build);
};

/** What a small value is known to hold stays known of its parts. */
const unpack: OpLowering = (node, [x], build) => {
  const value = settled(x!, build);
  const axis = axisOf(value, wholeAttr(node, "axis", 0));
  const count = fixedSize(node, value, axis, build);
  const pieces =
    build.contentsOf(value.edge) === undefined
      ? parts(node, value, axis, evenly(node, count, 1), build)
      : Array.from({ length: count }, (_, i) =>
          sliced(value, [{ axis, start: i, end: i + 1, step: 1 }], `${node.name}/slice${i}`, build),
        );
  const target = shapeOf(pieces[0]!, build).filter((_, i) => i !== axis);
  return pieces.map((piece, i) => orRefuse(node, inShape(piece, target, build, `${node.name}/${i}`)));
};

/** The index's axes take the place of the axis that it picks from. */
const gather: OpLowering = (node, [x, indices, axisInput], build) => {
  const value = settled(x!, build);
  const axis = axisOf(value, axisInput === undefined ? 0 : numbersIn(node, axisInput, "axis", build)[0]!);
  const places = cast(indices!, "int32", build);
  const batch = wholeAttr(node, "batch_dims", 0);
  const at = plain(places, build);
  if (batch !== 0) return gatherInBatch(node, value, at, axis, batch, build);
  const rank = places.order.length;
  const order = value.order.flatMap((own) => {
    if (own < axis) return [own];
    return own > axis ? [own + rank - 1] : Array.from({ length: rank }, (_, i) => axis + i);
  });
  return { edge: build.add("Gather", node.name, [value.edge, at], { axis: int(edgeAxis(value, axis)) }), order };
};

function gatherInBatch(node: OpNode, x: Traced, at: Edge, axis: number, batch: number, build: Tracer): Traced {
  if (axis !== batch)
    throw unsupportedOp(
      node,
      `it picks from axis ${axis} of ${batch} batches`,
      "Gather along the first axis behind the batches.",
    );
  const wide = build.add("Unsqueeze", `${node.name}/columns`, [
    at,
    build.constant(`${node.name}/last`, intTensor([-1])),
  ]);
  const places = cast(plainly(wide, build), "int64", build).edge;
  return plainly(build.add("GatherND", node.name, [plain(x, build), places], { batch_dims: int(batch) }), build);
}

const gatherNd: OpLowering = ({ name }, [x, indices], build) => {
  const places = plain(cast(indices!, "int64", build), build);
  return plainly(build.add("GatherND", name, [plain(x!, build), places]), build);
};

const topK: OpLowering = (node, [x, k], build) => {
  const value = settled(x!, build);
  const count = build.constant(`${node.name}/k`, intTensor(numbersIn(node, k, "k", build).slice(0, 1)));
  const outputs = [0, 1].map((i) => build.reserve(`${node.name}:${i}`));
  build.addMany("TopK", node.name, [value.edge, count], { axis: int(edgeAxis(value, -1)) }, outputs);
  const [values, indices] = outputs.map((edge) => ({ ...value, edge })) as [Traced, Traced];
  return [values, cast(indices, "int32", build)];
};

/** Parts of values. */
export const SLICES: OpTable = {
  Gather: gather,
  GatherNd: gatherNd,
  GatherV2: gather,
  Reverse: reverse,
  ReverseV2: reverse,
  Slice: slice,
  Split: split,
  SplitV: splitV,
  StridedSlice: stridedSlice,
  TopKV2: topK,
  Unpack: unpack,
};
