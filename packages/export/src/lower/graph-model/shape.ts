/**
 * Ops that give a value another shape. Axes of one element cost nothing wherever they lie: what only adds or drops such axes keeps
 * the order of the others. An image that is flattened keeps its order too, and remembers it for the product behind it.
 */
import { int } from "../../attr.ts";
import type { Dim } from "../../graph.ts";
import { quotient } from "../../infer/rule.ts";
import { cast } from "./cast.ts";
import {
  asImage,
  axisOf,
  imageOrder,
  isReshapeTarget,
  plain,
  plainly,
  plainOrder,
  reshaped,
  settled,
  shapeOf,
  transposed,
} from "./layout.ts";
import {
  listAttr,
  numbersIn,
  type OpLowering,
  type OpTable,
  sizesIn,
  typeAttr,
  unsupportedOp,
  wholeAttr,
} from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";
import { hasChannelsFirst } from "./window.ts";

/** The value in another shape of as many elements, as tfjs counts them; undefined where only a run can tell the shape. */
export function inShape(value: Traced, shape: readonly Dim[], build: Tracer, name: string): Traced | undefined {
  const from = shapeOf(value, build);
  if (value.flattened === undefined && isEqual(from, shape)) return value;
  return (
    withUnits(value, from, shape, build, name) ??
    flat(value, from, shape, build, name) ??
    moved(value, shape, build, name)
  );
}

/** Adds and drops axes of one element only. */
function withUnits(
  value: Traced,
  from: readonly Dim[],
  shape: readonly Dim[],
  build: Tracer,
  name: string,
): Traced | undefined {
  if (value.flattened !== undefined || !isEqual(from.filter(isMany), shape.filter(isMany))) return undefined;
  const axes = (sizes: readonly Dim[]): readonly number[] => [...sizes.keys()].filter((axis) => isMany(sizes[axis]!));
  const [before, after] = [axes(from), axes(shape)];
  // The axes that matter, by their place among those that matter, as the edge lies.
  const kept = value.order.filter((axis) => before.includes(axis)).map((axis) => before.indexOf(axis));
  const rank = shape.length;
  const orders = rank === 4 ? [imageOrder(rank), plainOrder(rank)] : [plainOrder(rank), imageOrder(rank)];
  const rest = [...shape.keys()].filter((axis) => !after.includes(axis));
  const any = [...kept.map((place) => after[place]!), ...rest];
  const isKept = (order: readonly number[]): boolean =>
    isEqual(
      order.filter((axis) => after.includes(axis)),
      any.slice(0, kept.length),
    );
  const order = orders.find(isKept) ?? any;
  const target = order.map((axis) => shape[axis]!);
  if (!isReshapeTarget(build.edgeShape(value.edge), target)) return undefined;
  return { edge: reshaped(value.edge, target, build, name), order };
}

/** [batch, ...] to [batch, n] without moving anything. */
function flat(
  { edge, order, flattened }: Traced,
  from: readonly Dim[],
  shape: readonly Dim[],
  build: Tracer,
  name: string,
): Traced | undefined {
  if (flattened !== undefined || shape.length !== 2 || shape[0] !== from[0] || order[0] !== 0) return undefined;
  if (order.every((axis, k) => axis === k) || typeof shape[1] !== "number") return undefined;
  if (build.tensorOf(edge) !== undefined) return undefined;
  const flattenedEdge = build.add("Flatten", name, [edge], { axis: int(1) });
  return { edge: flattenedEdge, order: [0, 1], flattened: { shape: build.edgeShape(edge), order } };
}

function moved(value: Traced, shape: readonly Dim[], build: Tracer, name: string): Traced | undefined {
  const edge = plain(value, build);
  if (!isReshapeTarget(build.edgeShape(edge), shape)) return undefined;
  return plainly(reshaped(edge, shape, build, name), build);
}

const isMany = (size: Dim): boolean => size !== 1;

function isEqual(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

const reshape: OpLowering = (node, [x, target], build) => {
  const sizes = sizesIn(node, target, "shape", build);
  const rest = sizes.filter((size) => size !== -1);
  const left = quotient(shapeOf(x!, build), rest);
  const shape = sizes.map((size) => (size === -1 ? (left ?? `${node.name}_open`) : size));
  const done = inShape(x!, shape, build, node.name);
  if (done !== undefined) return done;
  const wanted = cast(target!, "int64", build);
  return plainly(build.add("Reshape", node.name, [plain(x!, build), wanted.edge]), build);
};

const expandDims: OpLowering = (node, [x, axis], build) => {
  const value = settled(x!, build);
  const given = numbersIn(node, axis, "axis", build)[0]!;
  const shape = shapeOf(value, build);
  const at = given < 0 ? given + shape.length + 1 : given;
  const target = [...shape.slice(0, at), 1, ...shape.slice(at)];
  return orRefuse(node, inShape(value, target, build, node.name));
};

const squeeze: OpLowering = (node, [x], build) => {
  const value = settled(x!, build);
  const shape = shapeOf(value, build);
  const given = [...listAttr(node, "squeeze_dims"), ...listAttr(node, "axis")].map((axis) => axisOf(value, axis));
  const gone = given.length > 0 ? given : [...shape.keys()].filter((axis) => shape[axis] === 1);
  if (gone.some((axis) => shape[axis] !== 1))
    throw unsupportedOp(node, `axes ${gone} of [${shape}] are not all 1`, "Convert the model with fixed input shapes.");
  const target = shape.filter((_, axis) => !gone.includes(axis));
  return orRefuse(node, inShape(value, target, build, node.name));
};

/** What stays open in several places has no Reshape. */
export function orRefuse(node: Parameters<OpLowering>[0], value: Traced | undefined): Traced {
  if (value !== undefined) return value;
  throw unsupportedOp(
    node,
    "several sizes of its input stay open",
    "Convert the model with fixed input shapes, all but the batch.",
  );
}

/** Channels in blocks, the rows of a block first, as ONNX' DCR has them too. */
const depthToSpace: OpLowering = (node, [x], build) => {
  const isChannelsFirst = hasChannelsFirst(node);
  const image = asImage(isChannelsFirst ? transposed(x!, [0, 2, 3, 1], build) : x!, build);
  const attrs = { blocksize: int(wholeAttr(node, "block_size", 1)) };
  const spread = { ...image, edge: build.add("DepthToSpace", node.name, [image.edge], attrs) };
  return isChannelsFirst ? transposed(spread, imageOrder(4), build) : spread;
};

/** Shapes of values. */
export const SHAPE: OpTable = {
  Cast: (node, [x], build) => {
    const dtype = typeAttr(node, "DstT");
    if (dtype !== undefined) return cast(x!, dtype, build, node.name);
    throw unsupportedOp(node, "it casts to a type that tfjs has no numbers of", "Cast to float, int32 or bool.");
  },
  DepthToSpace: depthToSpace,
  EnsureShape: (_node, [x]) => x!,
  ExpandDims: expandDims,
  Reshape: reshape,
  Squeeze: squeeze,
};
