/** Rules of reductions, indexing, reordering and resizing. */
import type { Dim } from "../graph.ts";
import {
  axisOf,
  broadcast,
  int,
  ints,
  mismatch,
  numbers,
  product,
  quotient,
  type Rule,
  type Rules,
  rulesFor,
  unknownSize,
} from "./rule.ts";

const same: Rule = (_node, [x]) => x!;

const reduce: Rule = (node, [x, axesInput], contents) => {
  const rank = x!.shape.length;
  const given = ints(node, "axes") ?? (axesInput === undefined ? [] : numbers(contents(1)));
  if (given === undefined) throw mismatch(node, "axes that a run computes", "constant axes");
  if (given.length === 0 && int(node, "noop_with_empty_axes", 0) === 1) return x!;
  const axes = new Set(given.length === 0 ? x!.shape.keys() : given.map((axis) => axisOf(node, axis, rank)));
  return { dtype: x!.dtype, shape: without(x!.shape, axes, int(node, "keepdims", 1) === 1) };
};

const argument: Rule = (node, [x]) => {
  const axes = new Set([axisOf(node, int(node, "axis", 0), x!.shape.length)]);
  return { dtype: "int64", shape: without(x!.shape, axes, int(node, "keepdims", 1) === 1) };
};

function without(shape: readonly Dim[], axes: ReadonlySet<number>, keep: boolean): readonly Dim[] {
  return keep ? shape.map((size, i) => (axes.has(i) ? 1 : size)) : shape.filter((_, i) => !axes.has(i));
}

/** Rules of arrangement. */
export const ARRANGEMENT_RULES: Rules = {
  ...rulesFor(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
    reduce,
  ),
  ...rulesFor("ArgMax ArgMin", argument),
  ...rulesFor("CumSum ReverseSequence ScatterElements ScatterND Trilu", same),
  Concat: (node, inputs) => {
    const shapes = inputs.map((input) => input!.shape);
    const axis = axisOf(node, int(node, "axis", 0), shapes[0]!.length);
    const sizes = shapes.map((shape) => shape[axis]!);
    const total = sizes.every((size) => typeof size === "number")
      ? sizes.reduce((sum, size) => sum + size, 0)
      : unknownSize(node, axis);
    const shape = shapes[0]!.map((size, i) => {
      if (i === axis) return total;
      const found = shapes.map((other) => other[i]!).filter((other) => typeof other === "number");
      if (shapes.some((other) => other.length !== shapes[0]!.length) || new Set(found).size > 1)
        throw mismatch(node, shapes.map((other) => `[${other}]`).join(" and "), `shapes alike but for axis ${axis}`);
      return found[0] ?? size;
    });
    return { dtype: inputs[0]!.dtype, shape };
  },
  ConstantOfShape: (node, [shape], contents) => ({
    dtype: node.attrs.value?.kind === "tensor" ? node.attrs.value.value.dtype : "float32",
    shape: contents(0) ?? unknownShape(node.name, shape!.shape[0]),
  }),
  DepthToSpace: (node, [x]) => {
    const block = int(node, "blocksize", 1);
    const [n, c, h, w] = x!.shape as [Dim, number, Dim, Dim];
    return { dtype: x!.dtype, shape: [n, c / block ** 2, product([h, block]), product([w, block])] };
  },
  Expand: (node, [x], contents) => {
    const target = contents(1);
    if (target === undefined) throw mismatch(node, "a shape that a run computes", "one known from shapes");
    return { dtype: x!.dtype, shape: broadcast(node, x!.shape, target) };
  },
  Flatten: (node, [x]) => {
    const axis = axisOf(node, int(node, "axis", 1), x!.shape.length);
    return { dtype: x!.dtype, shape: [product(x!.shape.slice(0, axis)), product(x!.shape.slice(axis))] };
  },
  Gather: (node, [x, indices]) => {
    const axis = axisOf(node, int(node, "axis", 0), x!.shape.length);
    return { dtype: x!.dtype, shape: [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)] };
  },
  GatherElements: (_node, [x, indices]) => ({ dtype: x!.dtype, shape: indices!.shape }),
  GatherND: (node, [x, indices]) => {
    const depth = indices!.shape.at(-1);
    if (typeof depth !== "number")
      throw mismatch(node, `indices of [${indices!.shape}]`, "a last size that is a number");
    const rest = x!.shape.slice(int(node, "batch_dims", 0) + depth);
    return { dtype: x!.dtype, shape: [...indices!.shape.slice(0, -1), ...rest] };
  },
  OneHot: (node, [indices, , values], contents) => {
    const rank = indices!.shape.length + 1;
    const axis = axisOf(node, int(node, "axis", -1), rank);
    const depth = contents(1)?.[0] ?? unknownSize(node, axis);
    return { dtype: values!.dtype, shape: [...indices!.shape.slice(0, axis), depth, ...indices!.shape.slice(axis)] };
  },
  Pad: (node, [x], contents) => {
    const rank = x!.shape.length;
    const pads = numbers(contents(1));
    const axes = (numbers(contents(3)) ?? [...x!.shape.keys()]).map((axis) => axisOf(node, axis, rank));
    const shape = x!.shape.map((size, axis): Dim => {
      const at = axes.indexOf(axis);
      if (at < 0) return size;
      if (pads === undefined) return unknownSize(node, axis);
      const padding = pads[at]! + pads[at + axes.length]!;
      if (padding === 0) return size;
      return typeof size === "number" ? size + padding : unknownSize(node, axis);
    });
    return { dtype: x!.dtype, shape };
  },
  Range: (node, [start], contents) => {
    const [from, to, step] = [0, 1, 2].map((i) => numbers(contents(i))?.[0]);
    const isKnown = from !== undefined && to !== undefined && step !== undefined;
    const size = isKnown ? Math.max(0, Math.ceil((to - from) / step)) : unknownSize(node, 0);
    return { dtype: start!.dtype, shape: [size] };
  },
  Reshape: (node, [x, target], contents) => {
    const wanted = contents(1);
    const { dtype } = x!;
    if (wanted === undefined) return { dtype, shape: unknownShape(node.name, target!.shape[0]) };
    const copies = int(node, "allowzero", 0) === 0;
    const shape = wanted.map((size, axis) => (size === 0 && copies ? x!.shape[axis]! : size));
    const free = shape.indexOf(-1);
    const rest = shape.filter((_, axis) => axis !== free);
    const left = quotient(x!.shape, rest);
    const isWhole = [...x!.shape, ...rest].every((size) => typeof size === "number");
    if (isWhole && (left === undefined || (free < 0 && left !== 1)))
      throw mismatch(node, `[${x!.shape}] to be shaped [${wanted}]`, "as many elements");
    return { dtype, shape: shape.map((size, axis) => (axis === free ? (left ?? unknownSize(node, axis)) : size)) };
  },
  Resize: (node, [x, , scales], contents) => {
    const axes = ints(node, "axes") ?? [...x!.shape.keys()];
    const sizes = contents(3);
    const factors = scales === undefined ? undefined : numbers(contents(2));
    const shape = x!.shape.map((size, axis): Dim => {
      const at = axes.indexOf(axis);
      if (at < 0) return size;
      if (sizes !== undefined) return sizes[at]!;
      const factor = factors?.[at];
      if (factor === 1) return size;
      return factor !== undefined && typeof size === "number" ? Math.floor(size * factor) : unknownSize(node, axis);
    });
    return { dtype: x!.dtype, shape };
  },
  Shape: (node, [x]) => {
    const { length } = x!.shape.slice(int(node, "start", 0), int(node, "end", x!.shape.length));
    return { dtype: "int64", shape: [length] };
  },
  Size: () => ({ dtype: "int64", shape: [] }),
  Slice: (node, [x], contents) => {
    const rank = x!.shape.length;
    const [starts, ends] = [contents(1), contents(2)];
    if (starts === undefined || ends === undefined)
      return { dtype: x!.dtype, shape: x!.shape.map((_, axis) => unknownSize(node, axis)) };
    const axes = (numbers(contents(3)) ?? [...starts.keys()]).map((axis) => axisOf(node, axis, rank));
    const steps = numbers(contents(4)) ?? starts.map(() => 1);
    const shape = x!.shape.map((size, axis): Dim => {
      const at = axes.indexOf(axis);
      if (at < 0) return size;
      const [start, end] = [starts[at]!, ends[at]!];
      if (start === 0 && steps[at] === 1 && (end === size || (typeof end === "number" && end >= 2 ** 31 - 1)))
        return size;
      if (typeof size === "string" || typeof start === "string" || typeof end === "string")
        return unknownSize(node, axis);
      return sliceSize(size, start, end, steps[at]!);
    });
    return { dtype: x!.dtype, shape };
  },
  SpaceToDepth: (node, [x]) => {
    const block = int(node, "blocksize", 1);
    const [n, c, h, w] = x!.shape as [Dim, number, Dim, Dim];
    const part = (size: Dim, axis: number): Dim => (typeof size === "number" ? size / block : unknownSize(node, axis));
    return { dtype: x!.dtype, shape: [n, c * block ** 2, part(h, 2), part(w, 3)] };
  },
  Split: (node, [x, split], contents) => {
    const axis = axisOf(node, int(node, "axis", 0), x!.shape.length);
    const count = node.outputs.length;
    const size = x!.shape[axis]!;
    const sizes = split === undefined ? undefined : contents(1);
    const isEven = split === undefined && typeof size === "number";
    const chunk = isEven ? Math.ceil(size / count) : undefined;
    return node.outputs.map((_, i) => {
      const even =
        chunk === undefined ? `${unknownSize(node, axis)}_${i}` : Math.min(chunk, (size as number) - i * chunk);
      return { dtype: x!.dtype, shape: x!.shape.with(axis, sizes?.[i] ?? even) };
    });
  },
  Squeeze: (node, [x, axesInput], contents) => {
    const given = axesInput === undefined ? undefined : numbers(contents(1));
    if (axesInput !== undefined && given === undefined)
      throw mismatch(node, "axes that a run computes", "constant axes");
    const ones = [...x!.shape.keys()].filter((axis) => x!.shape[axis] === 1);
    const axes = given?.map((axis) => axisOf(node, axis, x!.shape.length)) ?? ones;
    return { dtype: x!.dtype, shape: without(x!.shape, new Set(axes), false) };
  },
  Tile: (node, [x], contents) => {
    const repeats = contents(1);
    const shape = x!.shape.map((size, axis) => (repeats ? product([size, repeats[axis]!]) : unknownSize(node, axis)));
    return { dtype: x!.dtype, shape };
  },
  TopK: (node, [x], contents) => {
    const axis = axisOf(node, int(node, "axis", -1), x!.shape.length);
    const shape = x!.shape.with(axis, contents(1)?.[0] ?? unknownSize(node, axis));
    return [
      { dtype: x!.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  Transpose: (node, [x]) => {
    const order = ints(node, "perm") ?? [...x!.shape.keys()].reverse();
    if (order.length !== x!.shape.length)
      throw mismatch(node, `an order of ${order.length} axes`, `${x!.shape.length}`);
    return { dtype: x!.dtype, shape: order.map((axis) => x!.shape[axis]!) };
  },
  Unsqueeze: (node, [x], contents) => {
    const given = numbers(contents(1));
    if (given === undefined) throw mismatch(node, "axes that a run computes", "constant axes");
    const rank = x!.shape.length + given.length;
    const axes = new Set(given.map((axis) => axisOf(node, axis, rank)));
    const rest = [...x!.shape];
    return { dtype: x!.dtype, shape: Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : rest.shift()!)) };
  },
};

/** How many elements `start:end:step` takes of `size`. */
export function sliceSize(size: number, start: number, end: number, step: number): number {
  const from = Math.min(Math.max(start < 0 ? start + size : start, 0), step > 0 ? size : size - 1);
  const to = Math.min(Math.max(end < 0 ? end + size : end, step > 0 ? 0 : -1), size);
  return Math.max(0, Math.ceil((to - from) / step));
}

function unknownShape(name: string, rank: Dim | undefined): readonly Dim[] {
  return Array.from({ length: Number(rank) }, (_, axis) => `${name}_${axis}`);
}
