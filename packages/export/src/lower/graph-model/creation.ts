/** Values made of nothing but their shape, and what a graph says of its own values. */
import { int } from "../../attr.ts";
import type { Dim, DType, Edge, Tensor } from "../../graph.ts";
import { floatTensor, intTensor } from "../../tensor.ts";
import { cast, scalarOf } from "./cast.ts";
import { plain, plainly, shapeOf } from "./layout.ts";
import { numbersIn, type OpLowering, type OpNode, type OpTable, sizesIn, typeAttr, unsupportedOp } from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";

/** Whole numbers as tfjs has them. */
function int32Tensor(values: readonly number[], shape: readonly number[]): Tensor {
  return { dtype: "int32", shape, bytes: new Uint8Array(Int32Array.from(values).buffer) };
}

/** The shape of a value, as tfjs sees it. */
const shape: OpLowering = ({ name }, [x], build) => {
  const sizes = shapeOf(x!, build);
  if (sizes.every((size) => typeof size === "number"))
    return plainly(build.constant(name, int32Tensor(sizes as readonly number[], [sizes.length])), build);
  const lying = build.add("Shape", `${name}/lying`, [x!.edge]);
  const places = [...x!.order.keys()].map((axis) => x!.order.indexOf(axis));
  const isPlain = places.every((place, axis) => place === axis);
  const edge = isPlain
    ? lying
    : build.add("Gather", `${name}/order`, [lying, build.constant(`${name}/places`, intTensor(places))], {
        axis: int(0),
      });
  return cast(plainly(edge, build), "int32", build, name);
};

/** A number in a shape: repeated when the model runs, so that the file stays small. */
function filled(number: Edge, sizes: readonly Dim[], shapeEdge: () => Edge, name: string, build: Tracer): Edge {
  const isFixed = sizes.every((size) => typeof size === "number");
  const target = isFixed ? build.constant(`${name}/shape`, intTensor(sizes as readonly number[])) : shapeEdge();
  return build.add("Expand", name, [number, target]);
}

const like =
  (value: number): OpLowering =>
  ({ name }, [x], build) => {
    const number = scalarOf(value, build.typeOf(x!.edge), `${name}/value`, build);
    const sizes = build.edgeShape(x!.edge);
    return { ...x!, edge: filled(number, sizes, () => build.add("Shape", `${name}/shape`, [x!.edge]), name, build) };
  };

const fill: OpLowering = (node, [target, value], build) => {
  const sizes = sizesIn(node, target, "shape", build);
  const edge = filled(plain(value!, build), sizes, () => cast(target!, "int64", build).edge, node.name, build);
  return plainly(edge, build);
};

const ofShape =
  (value: number): OpLowering =>
  (node, [target], build) => {
    const number = scalarOf(value, typeAttr(node, "T") ?? "float32", `${node.name}/value`, build);
    const sizes = sizesIn(node, target, "shape", build);
    return plainly(
      filled(number, sizes, () => cast(target!, "int64", build).edge, node.name, build),
      build,
    );
  };

/** Known numbers become a constant; others are counted when the model runs. */
const range: OpLowering = (node, bounds, build) => {
  const [start, stop, step] = bounds.map((bound) => build.contentsOf(bound.edge)?.[0]);
  const type: DType = build.typeOf(bounds[0]!.edge);
  if (typeof start !== "number" || typeof stop !== "number" || typeof step !== "number")
    return plainly(
      build.add(
        "Range",
        node.name,
        bounds.map((bound) => plain(bound, build)),
      ),
      build,
    );
  return plainly(series(node, start, step, Math.max(0, Math.ceil((stop - start) / step)), type, build), build);
};

const linSpace: OpLowering = (node, bounds, build) => {
  const [start, stop, count] = bounds.map((bound) => numbersIn(node, bound, "bound", build)[0]!) as [
    number,
    number,
    number,
  ];
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  return plainly(series(node, start, step, count, "float32", build), build);
};

/** A graph may ask for any count of numbers; none that runs on a device needs more than these. */
const MOST_NUMBERS = 2 ** 24;

/** start, start + step, ... */
function series(node: OpNode, start: number, step: number, count: number, type: DType, build: Tracer): Edge {
  if (!(count >= 0 && count <= MOST_NUMBERS))
    throw unsupportedOp(
      node,
      `it makes ${count} numbers, more than ${MOST_NUMBERS}`,
      "Make them outside of the model.",
    );
  const values = Array.from({ length: count }, (_, i) => start + i * step);
  const tensor = type === "float32" ? floatTensor(Float32Array.from(values), [count]) : int32Tensor(values, [count]);
  return build.constant(node.name, tensor);
}

/** Each index against all classes: an index that is no class gives a row without a mark, where ONNX' OneHot counts from the end. */
const oneHot: OpLowering = (node, [indices, depth, on, off], build) => {
  const { name } = node;
  const classes = numbersIn(node, depth, "depth", build)[0]!;
  const values = cast(indices!, "int32", build);
  const last = build.constant(`${name}/last`, intTensor([-1]));
  const column = build.add("Unsqueeze", `${name}/column`, [plain(values, build), last]);
  const row = series({ ...node, name: `${name}/classes` }, 0, 1, classes, "int32", build);
  const isClass = plainly(build.add("Equal", `${name}/equal`, [column, row]), build);
  const [marked, unmarked] = [on!, off!].map((value) => build.contentsOf(value.edge)?.[0]);
  const type = build.typeOf(on!.edge);
  if (marked === 1 && unmarked === 0) return cast(isClass, type, build, name);
  return plainly(build.add("Where", name, [isClass.edge, plain(on!, build), plain(off!, build)]), build);
};

const same: OpLowering = (_node, [x]) => x!;

const RANDOM = {
  refused: "it draws random numbers, which would differ on every runtime",
  hint: "Make the numbers an input of the model.",
};

/** Values made of shapes, and ops of a graph about itself. */
export const CREATION: OpTable = {
  FakeQuantWithMinMaxVars: same,
  Fill: fill,
  Identity: same,
  IdentityN: (_node, inputs) => inputs,
  LinSpace: linSpace,
  Multinomial: RANDOM,
  NoOp: ({ name }, _inputs, build) => plainly(scalarOf(1, "float32", name, build), build),
  OneHot: oneHot,
  Ones: ofShape(1),
  OnesLike: like(1),
  PlaceholderWithDefault: same,
  Print: same,
  RandomStandardNormal: RANDOM,
  RandomUniform: RANDOM,
  RandomUniformInt: RANDOM,
  Range: range,
  Rank: ({ name }, [x], build) => plainly(build.constant(name, int32Tensor([x!.order.length], [])), build),
  Shape: shape,
  ShapeN: (node, inputs, build) =>
    inputs.map((input, i) => shape({ ...node, name: `${node.name}/${i}` }, [input], build) as Traced),
  Size: ({ name }, [x], build) => {
    const sizes = build.edgeShape(x!.edge);
    if (sizes.every((size) => typeof size === "number")) {
      const count = (sizes as readonly number[]).reduce((product, size) => product * size, 1);
      return plainly(build.constant(name, int32Tensor([count], [])), build);
    }
    return cast(plainly(build.add("Size", `${name}/count`, [x!.edge]), build), "int32", build, name);
  },
  Snapshot: same,
  StopGradient: same,
  TruncatedNormal: RANDOM,
  Zeros: ofShape(0),
  ZerosLike: like(0),
};
