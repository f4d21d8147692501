/** Values put together, repeated, padded or scattered. */
import { int, text } from "../../attr.ts";
import type { Dim, Edge } from "../../graph.ts";
import { intTensor } from "../../tensor.ts";
import { alike, cast, scalarOf } from "./cast.ts";
import { axisOf, edgeAxis, plain, plainly, reshaped, settled, shapeOf, together } from "./layout.ts";
import {
  numberAttr,
  numbersIn,
  type OpLowering,
  type OpNode,
  type OpTable,
  sizesIn,
  textAttr,
  unsupportedOp,
  wholeAttr,
} from "./op-node.ts";
import { inShape, orRefuse } from "./shape.ts";
import type { Traced, Tracer } from "./trace.ts";

function joined(node: OpNode, values: readonly Traced[], axis: number, build: Tracer): Traced {
  if (values.length === 1) return values[0]!;
  const { edges, like } = together(alike(values, build), build);
  const first = { ...like, edge: edges[0]! };
  return { ...like, edge: build.add("Concat", node.name, edges, { axis: int(edgeAxis(first, axis)) }) };
}

/** Values of one shape along a new axis. */
const pack: OpLowering = (node, inputs, build) => {
  const values = inputs.map((value) => settled(value, build));
  const rank = values[0]!.order.length + 1;
  const axis = wholeAttr(node, "axis", 0);
  const at = axis < 0 ? axis + rank : axis;
  const shape = shapeOf(values[0]!, build);
  const target = [...shape.slice(0, at), 1, ...shape.slice(at)];
  const rows = values.map((value, i) => orRefuse(node, inShape(value, target, build, `${node.name}/${i}`)));
  return joined(node, rows, at, build);
};

const tile: OpLowering = (node, [x, repeats], build) => {
  const value = settled(x!, build);
  const times = numbersIn(node, repeats, "repeats", build);
  const lying = value.order.map((axis) => times[axis]!);
  if (lying.every((count) => count === 1)) return value;
  return {
    ...value,
    edge: build.add("Tile", node.name, [value.edge, build.constant(`${node.name}/repeats`, intTensor(lying))]),
  };
};

/** A value with a constant around it; pairs by tfjs' axes, where ONNX wants all that goes before, then all that comes after. */
export function padded(
  name: string,
  value: Traced,
  pairs: readonly number[],
  fill: number | "reflect",
  build: Tracer,
): Traced {
  const pads = [0, 1].flatMap((side) => value.order.map((axis) => pairs[2 * axis + side]!));
  if (pads.every((count) => count === 0)) return value;
  const inputs = [value.edge, build.constant(`${name}/pads`, intTensor(pads))];
  const type = build.typeOf(value.edge);
  if (typeof fill === "number" && fill !== 0) inputs.push(scalarOf(fill, type, `${name}/value`, build));
  return { ...value, edge: build.add("Pad", name, inputs, fill === "reflect" ? { mode: text(fill) } : {}) };
}

const pad: OpLowering = (node, [x, paddings, fill], build) => {
  const pairs = numbersIn(node, paddings, "paddings", build);
  const number = fill === undefined ? numberAttr(node, "constant_value", 0) : numbersIn(node, fill, "value", build)[0]!;
  return padded(node.name, settled(x!, build), pairs, number, build);
};

const mirrorPad: OpLowering = (node, [x, paddings], build) => {
  const mode = textAttr(node, "mode", "reflect");
  if (mode !== "reflect")
    throw unsupportedOp(node, `its mode is ${mode}, which ONNX does not have`, "Pad by REFLECT, or concatenate.");
  return padded(node.name, settled(x!, build), numbersIn(node, paddings, "paddings", build), "reflect", build);
};

/** Sizes that stay open are those of the value already, if anything: one broadcasts against them. */
const broadcastTo: OpLowering = (node, [x, shape], build) => {
  const value = plain(x!, build);
  const sizes = sizesIn(node, shape, "shape", build);
  const from = build.edgeShape(value);
  const target = sizes.map((size, i): Dim => (size === from[from.length - sizes.length + i] ? 1 : size));
  if (target.some((size) => typeof size !== "number"))
    throw unsupportedOp(
      node,
      `its shape is [${sizes}]`,
      "Convert the model with fixed input shapes, all but the batch.",
    );
  const wanted = build.constant(`${node.name}/shape`, intTensor(target as readonly number[]));
  return plainly(build.add("Expand", node.name, [value, wanted]), build);
};

function scattered(node: OpNode, onto: Edge, indices: Traced, values: Traced, isSum: boolean, build: Tracer): Traced {
  const places = plain(cast(indices, "int64", build), build);
  const inputs = [onto, places, plain(values, build)];
  return plainly(build.add("ScatterND", node.name, inputs, isSum ? { reduction: text("add") } : {}), build);
}

/** Places that are named twice add up, which ScatterND does since opset 16. */
const scatterNd: OpLowering = (node, [indices, values, shape], build) => {
  if (build.opset < 16)
    throw unsupportedOp(node, `opset ${build.opset} cannot add where places repeat`, "Export with opset 16 or later.");
  const sizes = numbersIn(node, shape, "shape", build);
  const zero = scalarOf(0, build.typeOf(values!.edge), `${node.name}/zero`, build);
  const zeros = build.add("Expand", `${node.name}/zeros`, [
    zero,
    build.constant(`${node.name}/shape`, intTensor(sizes)),
  ]);
  return scattered(node, zeros, indices!, values!, true, build);
};

const sparseToDense: OpLowering = (node, [indices, shape, values, fill], build) => {
  const sizes = numbersIn(node, shape, "shape", build);
  const background = cast(fill!, build.typeOf(values!.edge), build);
  const dense = build.add("Expand", `${node.name}/dense`, [
    plain(background, build),
    build.constant(`${node.name}/shape`, intTensor(sizes)),
  ]);
  const places = shapeOf(indices!, build);
  if (places.length === 0 || values!.order.length !== 1)
    throw unsupportedOp(node, "it writes a single number to several places", "Give it as many values as places.");
  const columns =
    places.length === 1 ? plainly(reshaped(plain(indices!, build), [places[0]!, 1], build), build) : indices!;
  return scattered(node, dense, columns, values!, false, build);
};

/** Joins, repetitions, paddings. */
export const JOINS: OpTable = {
  BroadcastTo: broadcastTo,
  Concat: (node, [axis, ...values], build) => {
    const at = numbersIn(node, axis, "axis", build)[0]!;
    return joined(node, values, axisOf(values[0]!, at), build);
  },
  ConcatV2: (node, inputs, build) => {
    const at = numbersIn(node, inputs.at(-1), "axis", build)[0]!;
    return joined(node, inputs.slice(0, -1), axisOf(inputs[0]!, at), build);
  },
  MirrorPad: mirrorPad,
  Pack: pack,
  Pad: pad,
  PadV2: pad,
  ScatterNd: scatterNd,
  SparseToDense: sparseToDense,
  TensorScatterUpdate: (node, [onto, indices, values], build) =>
    scattered(node, plain(onto!, build), indices!, values!, false, build),
  Tile: tile,
};
