/** In which order the axes of a traced value lie, and the few places where they have to lie otherwise. */
import { ints } from "../../attr.ts";
import type { Dim, Edge } from "../../graph.ts";
import { product } from "../../infer/rule.ts";
import { intTensor, permuteTensor } from "../../tensor.ts";
import type { Traced, Tracer } from "./trace.ts";

/** The order that tfjs has. */
export function plainOrder(rank: number): readonly number[] {
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** The last axis behind the batch: [n, h, w, c] as [n, c, h, w]. */
export function imageOrder(rank: number): readonly number[] {
  return rank < 3 ? plainOrder(rank) : [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
}

/** A value whose edge lies as tfjs has it. */
export function plainly(edge: Edge, build: Tracer): Traced {
  return { edge, order: plainOrder(build.edgeShape(edge).length) };
}

/** The shape that tfjs sees. */
export function shapeOf({ edge, order }: Traced, build: Tracer): readonly Dim[] {
  const shape: Dim[] = [];
  for (const [k, size] of build.edgeShape(edge).entries()) shape[order[k]!] = size;
  return shape;
}

/** An axis of tfjs' counted from the front. */
export function axisOf({ order }: Traced, axis: number): number {
  return axis < 0 ? axis + order.length : axis;
}

/** The edge's axis for an axis of the tfjs tensor; negative ones count from the end. */
export function edgeAxis(value: Traced, axis: number): number {
  return value.order.indexOf(axisOf(value, axis));
}

/** A value whose axes can be told apart: one that was flattened out of another order is put in the order that tfjs has. */
export function settled(value: Traced, build: Tracer): Traced {
  return value.flattened === undefined ? value : plainly(plain(value, build), build);
}

/** The value as an edge that lies as tfjs has it. */
export function plain(value: Traced, build: Tracer): Edge {
  return inOrder(value, plainOrder(value.order.length), build).edge;
}

/** The value as an edge with the last axis behind the batch. */
export function asImage(value: Traced, build: Tracer): Traced {
  return inOrder(value, imageOrder(value.order.length), build);
}

/** The value in another order: a constant is reordered here, where only axes of one element move a Reshape does. */
export function inOrder(value: Traced, order: readonly number[], build: Tracer): Traced {
  const { flattened } = value;
  if (flattened !== undefined) {
    const whole = { edge: reshaped(value.edge, flattened.shape, build), order: flattened.order };
    const edge = reshaped(plain(whole, build), build.edgeShape(value.edge), build);
    return inOrder({ edge, order: value.order }, order, build);
  }
  const axes = order.map((axis) => value.order.indexOf(axis));
  if (axes.every((axis, k) => axis === k)) return value;
  const { edge } = value;
  const moved = build.once(`${edge} in ${axes}`, () => {
    const constant = build.tensorOf(edge);
    if (constant !== undefined) return build.constant(edge, permuteTensor(constant, axes));
    const shape = build.edgeShape(edge);
    const moving = axes.filter((axis) => shape[axis] !== 1);
    const target = axes.map((axis) => shape[axis]!);
    if (moving.every((axis, i) => i === 0 || axis > moving[i - 1]!) && isReshapeTarget(shape, target))
      return reshaped(edge, target, build);
    return build.add("Transpose", `${edge}/moved`, [edge], { perm: ints(axes) });
  });
  return { edge: moved, order };
}

/** The axes under other names, as a Transpose of the model asks: axis `i` of the result is axis `axes[i]`. Moves nothing. */
export function transposed(value: Traced, axes: readonly number[], build: Tracer): Traced {
  const { edge, order } = settled(value, build);
  return { edge, order: order.map((axis) => axes.indexOf(axis)) };
}

/** Whether a Reshape can say it: it copies sizes that stay where they are, and works out one other that is not a number. */
export function isReshapeTarget(from: readonly Dim[], shape: readonly Dim[]): boolean {
  return shape.filter((size, k) => typeof size !== "number" && from[k] !== size).length <= 1;
}

/** An edge in another shape of as many elements; a constant takes it at once. */
export function reshaped(edge: Edge, shape: readonly Dim[], build: Tracer, name = `${edge}/shaped`): Edge {
  const origin = build.origins.get(edge);
  if (origin !== undefined && isReshapeTarget(build.edgeShape(origin), shape))
    return reshaped(origin, shape, build, name);
  const from = build.edgeShape(edge);
  if (from.length === shape.length && from.every((size, k) => size === shape[k])) return edge;
  const constant = build.tensorOf(edge);
  if (constant !== undefined && product(shape) === product(from))
    return build.constant(name, { ...constant, shape: shape as readonly number[] });
  const hasOne = shape.filter((size) => typeof size !== "number").length === 1;
  const sizes = shape.map((size, k) => {
    if (typeof size === "number") return size;
    return hasOne || from[k] !== size ? -1 : 0;
  });
  const made = build.add("Reshape", name, [edge, build.constant(`${name}/shape`, intTensor(sizes))]);
  build.origins.set(made, edge);
  return made;
}

/**
 * Values that meet element by element, as edges of one order that broadcast against each other; the order is that of the first
 * value of the highest rank that is no constant and lies otherwise than tfjs has it.
 */
export function together(
  values: readonly Traced[],
  build: Tracer,
): { readonly edges: readonly Edge[]; readonly like: Omit<Traced, "edge"> } {
  const rank = Math.max(...values.map(({ order }) => order.length));
  const flat = values.filter(({ flattened }) => flattened !== undefined);
  if (flat.length === 1 && values.every(({ order, flattened }) => flattened !== undefined || order.length === 0)) {
    const { edge: _edge, ...like } = flat[0]!;
    return { edges: values.map(({ edge }) => edge), like };
  }
  const leader = values.find(
    ({ edge, order, flattened }) =>
      flattened === undefined &&
      order.length === rank &&
      build.tensorOf(edge) === undefined &&
      order.some((axis, k) => axis !== k),
  );
  const order = leader?.order ?? plainOrder(rank);
  return { edges: values.map((value) => against(value, order, build)), like: { order } };
}

/** A value of this rank or a lower one, as an edge that broadcasts against edges of the given order. */
function against(value: Traced, order: readonly number[], build: Tracer): Edge {
  const missing = order.length - value.order.length;
  const own = order.filter((axis) => axis >= missing).map((axis) => axis - missing);
  const { edge } = inOrder(value, own, build);
  const first = order.findIndex((axis) => axis >= missing);
  const added = order.slice(first).flatMap((axis, k) => (axis < missing ? [k] : []));
  if (first < 0 || added.length === 0) return edge;
  return build.once(`${edge} with ${added}`, () => {
    const sizes = [...build.edgeShape(edge)];
    if (build.tensorOf(edge) === undefined)
      return build.add("Unsqueeze", `${edge}/spread`, [edge, build.constant(`${edge}/axes`, intTensor(added))]);
    return reshaped(
      edge,
      order.slice(first).map((axis) => (axis < missing ? 1 : sizes.shift()!)),
      build,
    );
  });
}
