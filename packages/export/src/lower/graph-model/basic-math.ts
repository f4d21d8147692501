/** Functions of each element by itself. */
import { float } from "../../attr.ts";
import type { Edge } from "../../graph.ts";
import { alike, cast, scalarOf } from "./cast.ts";
import { together } from "./layout.ts";
import { numberAttr, numbersIn, type OpLowering, type OpTable } from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";

/** One op, on floats. */
const onFloats =
  (op: string): OpLowering =>
  ({ name }, [x], build) => {
    const value = cast(x!, "float32", build);
    return { ...value, edge: build.add(op, name, [value.edge]) };
  };

/** One op, on numbers of either type. */
const onNumbers =
  (op: string): OpLowering =>
  ({ name }, [x], build) => ({ ...x!, edge: build.add(op, name, [x!.edge]) });

/** Several ops, on floats. */
const composed =
  (compose: (x: Edge, name: string, build: Tracer) => Edge): OpLowering =>
  ({ name }, [x], build) => {
    const value = cast(x!, "float32", build);
    return { ...value, edge: compose(value.edge, name, build) };
  };

/** min(max(x, low), high). */
export function clip(x: Traced, low: number, high: number, name: string, build: Tracer): Traced {
  const bounds = [low, high].map((bound, i) =>
    scalarOf(bound, build.typeOf(x.edge), `${name}/${i === 0 ? "min" : "max"}`, build),
  );
  return { ...x, edge: build.add("Clip", name, [x.edge, ...bounds]) };
}

/** x where it is positive, else x times the slopes; these broadcast against x. */
export function prelu(x: Traced, slopes: Traced, name: string, build: Tracer): Traced {
  const { edges, like } = together([x, slopes], build);
  return { ...like, edge: build.add("PRelu", name, edges) };
}

/** atan(y / x), turned by pi where x is negative: on the side of y. On the axis itself half of that, and 0 in the origin. */
const atan2: OpLowering = ({ name }, inputs, build) => {
  const { edges, like } = together(
    inputs.map((value) => cast(value, "float32", build)),
    build,
  );
  const [y, x] = edges as [Edge, Edge];
  const zero = scalarOf(0, "float32", `${name}/zero`, build);
  const pi = scalarOf(Math.PI, "float32", `${name}/pi`, build);
  const half = scalarOf(Math.PI / 2, "float32", `${name}/half`, build);
  const turn = build.add("Where", `${name}/turn`, [
    build.add("Less", `${name}/below`, [y, zero]),
    build.add("Neg", `${name}/minus`, [pi]),
    pi,
  ]);
  const angle = build.add("Atan", `${name}/angle`, [build.add("Div", `${name}/slope`, [y, x])]);
  const turned = build.add("Where", `${name}/turned`, [
    build.add("Less", `${name}/left`, [x, zero]),
    build.add("Add", `${name}/sum`, [angle, turn]),
    angle,
  ]);
  const upright = build.add("Mul", `${name}/upright`, [build.add("Sign", `${name}/side`, [y]), half]);
  const onAxis = build.add("Equal", `${name}/axis`, [x, zero]);
  return { ...like, edge: build.add("Where", name, [onAxis, upright, turned]) };
};

const COMPLEX = {
  refused: "it works on complex numbers, which ONNX does not have",
  hint: "Compute the spectrum outside of the model.",
};

/** Functions of each element. */
export const BASIC_MATH: OpTable = {
  Abs: onNumbers("Abs"),
  Acos: onFloats("Acos"),
  Acosh: onFloats("Acosh"),
  Asin: onFloats("Asin"),
  Asinh: onFloats("Asinh"),
  Atan: onFloats("Atan"),
  Atan2: atan2,
  Atanh: onFloats("Atanh"),
  Ceil: onFloats("Ceil"),
  ClipByValue: (node, [x, low, high], build) => {
    const bounds = [low, high].map((bound) => numbersIn(node, bound, "bound", build)[0]!);
    return clip(x!, bounds[0]!, bounds[1]!, node.name, build);
  },
  Complex: COMPLEX,
  ComplexAbs: COMPLEX,
  Cos: onFloats("Cos"),
  Cosh: onFloats("Cosh"),
  Elu: onFloats("Elu"),
  Erf: onFloats("Erf"),
  Exp: onFloats("Exp"),
  Expm1: composed((x, name, build) =>
    build.add("Sub", name, [build.add("Exp", `${name}/exp`, [x]), scalarOf(1, "float32", `${name}/one`, build)]),
  ),
  Floor: onFloats("Floor"),
  Imag: COMPLEX,
  IsFinite: composed((x, name, build) => {
    const isLost = [build.add("IsInf", `${name}/infinite`, [x]), build.add("IsNaN", `${name}/nan`, [x])];
    return build.add("Not", name, [build.add("Or", `${name}/lost`, isLost)]);
  }),
  IsInf: onFloats("IsInf"),
  IsNan: onFloats("IsNaN"),
  LeakyRelu: (node, [x], build) => {
    const value = cast(x!, "float32", build);
    const alpha = float(numberAttr(node, "alpha", 0.2));
    return { ...value, edge: build.add("LeakyRelu", node.name, [value.edge], { alpha }) };
  },
  Log: onFloats("Log"),
  Log1p: composed((x, name, build) =>
    build.add("Log", name, [build.add("Add", `${name}/sum`, [x, scalarOf(1, "float32", `${name}/one`, build)])]),
  ),
  Neg: onNumbers("Neg"),
  Prelu: ({ name }, inputs, build) => {
    const [x, slopes] = alike(inputs, build) as [Traced, Traced];
    return prelu(x, slopes, name, build);
  },
  Real: COMPLEX,
  Reciprocal: onFloats("Reciprocal"),
  Relu: onFloats("Relu"),
  Relu6: ({ name }, [x], build) => clip(x!, 0, 6, name, build),
  Round: onFloats("Round"),
  Rsqrt: composed((x, name, build) => build.add("Reciprocal", name, [build.add("Sqrt", `${name}/root`, [x])])),
  Selu: onFloats("Selu"),
  Sigmoid: onFloats("Sigmoid"),
  Sign: onNumbers("Sign"),
  Sin: onFloats("Sin"),
  Sinh: onFloats("Sinh"),
  Softplus: onFloats("Softplus"),
  Sqrt: onFloats("Sqrt"),
  Square: ({ name }, [x], build) => ({ ...x!, edge: build.add("Mul", name, [x!.edge, x!.edge]) }),
  Tan: onFloats("Tan"),
  Tanh: onFloats("Tanh"),
};
