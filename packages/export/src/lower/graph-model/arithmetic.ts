/** Arithmetic of two values or more, with broadcasting. */
import type { Edge } from "../../graph.ts";
import { alike, scalarOf } from "./cast.ts";
import { together } from "./layout.ts";
import type { OpLowering, OpTable } from "./op-node.ts";
import type { Tracer } from "./trace.ts";

type Combine = (a: Edge, b: Edge, name: string, build: Tracer) => Edge;

const binary =
  (combine: Combine): OpLowering =>
  ({ name }, inputs, build) => {
    const { edges, like } = together(alike(inputs, build), build);
    return { ...like, edge: combine(edges[0]!, edges[1]!, name, build) };
  };

const op = (type: string): OpLowering => binary((a, b, name, build) => build.add(type, name, [a, b]));

/**
 * Rounds down. ONNX' Div of whole numbers rounds towards zero, which is the same for sizes; for others the remainder is taken off
 * before.
 */
const floorDiv: Combine = (a, b, name, build) => {
  if (build.typeOf(a) === "float32") return build.add("Floor", name, [build.add("Div", `${name}/quotient`, [a, b])]);
  const isSize = (edge: Edge): boolean =>
    build.contentsOf(edge)?.every((size) => typeof size === "string" || size >= 0) === true;
  if (isSize(a) && isSize(b)) return build.add("Div", name, [a, b]);
  const whole = build.add("Sub", `${name}/whole`, [a, build.add("Mod", `${name}/rest`, [a, b])]);
  return build.add("Div", name, [whole, b]);
};

/** The remainder with the divisor's sign: a - floor(a / b) b. */
const floorMod: Combine = (a, b, name, build) => {
  if (build.typeOf(a) !== "float32") return build.add("Mod", name, [a, b]);
  const fmod = { fmod: { kind: "int", value: 1 } } as const;
  const rest = build.add("Mod", `${name}/rest`, [a, b], fmod);
  return build.add("Mod", name, [build.add("Add", `${name}/shifted`, [rest, b]), b], fmod);
};

/** a / b; of whole numbers tfjs rounds down. */
const divide: Combine = (a, b, name, build) =>
  build.typeOf(a) === "float32" ? build.add("Div", name, [a, b]) : floorDiv(a, b, name, build);

/** a / b, and 0 where b is. */
const divideNoNan: Combine = (a, b, name, build) => {
  const type = build.typeOf(a);
  const [zero, one] = [0, 1].map((value) => scalarOf(value, type, `${name}/${value}`, build)) as [Edge, Edge];
  const isZero = build.add("Equal", `${name}/isZero`, [b, zero]);
  const divisor = build.add("Where", `${name}/divisor`, [isZero, one, b]);
  return build.add("Where", name, [isZero, zero, divide(a, divisor, `${name}/quotient`, build)]);
};

/** A sum of as many values as there are. */
const addN: OpLowering = ({ name }, inputs, build) => {
  const { edges, like } = together(alike(inputs, build), build);
  const [first, ...rest] = edges as [Edge, ...Edge[]];
  const edge = rest.reduce(
    (sum, next, i) => build.add("Add", i === rest.length - 1 ? name : `${name}/${i + 1}`, [sum, next]),
    first,
  );
  return { ...like, edge };
};

/** Arithmetic. */
export const ARITHMETIC: OpTable = {
  Add: op("Add"),
  AddN: addN,
  AddV2: op("Add"),
  BiasAdd: op("Add"),
  Div: binary(divide),
  DivNoNan: binary(divideNoNan),
  FloorDiv: binary(floorDiv),
  FloorMod: binary(floorMod),
  Maximum: op("Max"),
  Minimum: op("Min"),
  Mod: binary(floorMod),
  Mul: op("Mul"),
  Pow: op("Pow"),
  RealDiv: binary(divide),
  SquaredDifference: binary((a, b, name, build) => {
    const difference = build.add("Sub", `${name}/difference`, [a, b]);
    return build.add("Mul", name, [difference, difference]);
  }),
  Sub: op("Sub"),
};
