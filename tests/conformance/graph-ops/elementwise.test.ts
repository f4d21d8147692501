/** Ops on each element, alone and with broadcasting, on values that lie in every order. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { type Families, graphOf, testFamilies } from "../../fixtures/op-cases.ts";
import { attr, type Lying, lying, normal, opGraph, type Ref, whole } from "../../fixtures/op-graphs.ts";

const orders = fc.constantFrom<Lying>("plain", "image", "turned");
const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const seed = fc.integer({ min: 1, max: 999 });

/** Where each function is defined, as a change of normal values. */
const DOMAINS: { readonly [op: string]: (x: tf.Tensor) => tf.Tensor } = {
  Acos: (x) => tf.tanh(x),
  Acosh: (x) => tf.add(tf.abs(x), 1.1),
  Asin: (x) => tf.tanh(x),
  Atanh: (x) => tf.mul(tf.tanh(x), 0.9),
  Log: (x) => tf.add(tf.abs(x), 0.1),
  Log1p: (x) => tf.abs(x),
  Reciprocal: (x) => tf.add(tf.abs(x), 0.5),
  Rsqrt: (x) => tf.add(tf.abs(x), 0.1),
  Round: (x) => tf.mul(x, 3),
  Sqrt: (x) => tf.abs(x),
};

const UNARY =
  "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor Identity LeakyRelu Log Log1p LogicalNot Neg " +
  "Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square StopGradient Snapshot Tan Tanh IsNan IsInf IsFinite " +
  "OnesLike ZerosLike FakeQuantWithMinMaxVars";

const ON_WHOLE = "Abs Neg Sign Square Relu Relu6 Exp OnesLike ZerosLike";

/** Two shapes that broadcast: the second may lack leading axes and have ones. */
const pair = fc
  .tuple(shape, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4), fc.boolean())
  .map(([full, ones, cut, swap]) => {
    const part = full.map((length, axis) => (ones[axis] ? 1 : length)).slice(Math.min(cut, full.length));
    return swap ? ([part, full] as const) : ([full, part] as const);
  });

const FLOATS = "Add AddV2 Sub Mul Maximum Minimum SquaredDifference";
const WHOLE = "Add AddV2 Sub Mul Maximum Minimum FloorDiv FloorMod Div SquaredDifference";
const COMPARISONS = "Equal NotEqual Greater GreaterEqual Less LessEqual";

const families: Families = {
  "functions of one value": graphOf(
    fc.record({ op: fc.constantFrom(...UNARY.split(" ")), shape, order: orders, seed }),
    ({ op, shape, order, seed }) => {
      const graph = opGraph();
      const values =
        op === "LogicalNot" ? tf.greater(normal(shape, seed), 0) : (DOMAINS[op] ?? tf.clone)(normal(shape, seed));
      const x = op === "LogicalNot" ? graph.input(values) : lying(graph, values, order);
      return graph.done(graph.op(op, [x], op === "LeakyRelu" ? { alpha: attr.f(0.3) } : {}));
    },
  ),
  "functions of whole numbers": graphOf(
    fc.record({ op: fc.constantFrom(...ON_WHOLE.split(" ")), shape, seed }),
    ({ op, shape, seed }) => {
      const graph = opGraph();
      const values = tf.cast(tf.mul(normal(shape, seed), 4), "int32");
      return graph.done(graph.op(op, [graph.input(values)]));
    },
  ),
  "ClipByValue and Prelu": graphOf(fc.record({ shape, order: orders, seed, isClip: fc.boolean() }), (config) => {
    const graph = opGraph();
    const x = lying(graph, normal(config.shape, config.seed), config.order);
    if (config.isClip)
      return graph.done(graph.op("ClipByValue", [x, graph.constant(tf.scalar(-0.5)), graph.constant(tf.scalar(0.25))]));
    const slopes = normal(config.shape.slice(-1), config.seed + 1);
    return graph.done(graph.op("Prelu", [x, graph.constant(slopes)]));
  }),
  "arithmetic of floats": graphOf(
    fc.record({
      op: fc.constantFrom(...FLOATS.split(" ")),
      pair,
      orders: fc.tuple(orders, orders),
      seed,
      constant: fc.boolean(),
    }),
    ({ op, pair: [a, b], orders: [first, second], seed, constant }) => {
      const graph = opGraph();
      const x = lying(graph, normal(a, seed), first);
      const other = normal(b, seed + 1);
      return graph.done(graph.op(op, [x, constant ? graph.constant(other) : lying(graph, other, second)]));
    },
  ),
  "division, powers, angles": graphOf(
    fc.record({
      op: fc.constantFrom("Div", "RealDiv", "DivNoNan", "FloorDiv", "FloorMod", "Mod", "Pow", "Atan2"),
      pair,
      order: orders,
      seed,
    }),
    ({ op, pair: [a, b], order, seed }) => {
      const graph = opGraph();
      // Far from where a rounding error would make another whole number, and zeros where they are allowed.
      const quarters = (shape: readonly number[], from: number): tf.Tensor =>
        tf.add(tf.mul(tf.floor(tf.mul(normal(shape, from), 3)), 0.5), op === "DivNoNan" ? 0 : 0.25);
      const left = op === "Pow" ? tf.add(tf.abs(quarters(a, seed)), 0.5) : quarters(a, seed);
      return graph.done(graph.op(op, [lying(graph, left, order), graph.input(quarters(b, seed + 1))]));
    },
  ),
  "arithmetic of whole numbers": graphOf(
    fc.record({ op: fc.constantFrom(...WHOLE.split(" ")), pair, seed }),
    ({ op, pair: [a, b], seed }) => {
      const graph = opGraph();
      const left = tf.cast(tf.mul(normal(a, seed), 8), "int32");
      const right = tf.cast(tf.mul(normal(b, seed + 1), 3), "int32");
      const divisor = tf.where(tf.equal(right, 0), tf.onesLike(right), right);
      return graph.done(graph.op(op, [graph.input(left), graph.constant(divisor)]));
    },
  ),
  "sums of many": graphOf(
    fc.record({ shape, orders: fc.array(orders, { minLength: 2, maxLength: 4 }), seed }),
    ({ shape, orders: all, seed }) => {
      const graph = opGraph();
      return graph.done(
        graph.op(
          "AddN",
          all.map((order, i) => lying(graph, normal(shape, seed + i), order)),
        ),
      );
    },
  ),
  "comparisons and choice": graphOf(
    fc.record({ op: fc.constantFrom(...COMPARISONS.split(" ")), pair, order: orders, seed, isWhole: fc.boolean() }),
    ({ op, pair: [a, b], order, seed, isWhole }) => {
      const graph = opGraph();
      const values = (shape: readonly number[], from: number): tf.Tensor => {
        const found = tf.round(normal(shape, from));
        return isWhole ? tf.cast(found, "int32") : found;
      };
      const left = isWhole ? graph.input(values(a, seed)) : lying(graph, values(a, seed), order);
      const right = graph.input(values(b, seed + 1));
      const isTrue = graph.op(op, [left, right]);
      const both = graph.op("LogicalOr", [graph.op("LogicalAnd", [isTrue, isTrue]), graph.op("LogicalNot", [isTrue])]);
      return graph.done(isTrue, both, graph.op("SelectV2", [isTrue, left, right]));
    },
  ),
  casts: graphOf(
    fc.record({
      shape,
      seed,
      from: fc.constantFrom("float32", "int32", "bool"),
      to: fc.constantFrom("DT_FLOAT", "DT_INT32", "DT_BOOL", "DT_INT64"),
    }),
    ({ shape, seed, from, to }) => {
      const graph = opGraph();
      const values = tf.mul(normal(shape, seed), 3);
      const x: Ref = graph.input(from === "bool" ? tf.greater(values, 0) : tf.cast(values, from as "float32"));
      return graph.done(graph.op("Cast", [x], { DstT: attr.type(to) }));
    },
  ),
  "OneHot, LinSpace, Range, Fill": graphOf(
    fc.record({
      count: fc.integer({ min: 2, max: 6 }),
      shape: fc.array(size, { minLength: 1, maxLength: 2 }),
      seed,
      on: fc.boolean(),
    }),
    ({ count, shape, seed, on }) => {
      const graph = opGraph();
      const [zero, one, two] = [0, 1, 2].map((value) => graph.constant(tf.scalar(value))) as [Ref, Ref, Ref];
      const depth = graph.constant(whole(count));
      const indices = graph.input(tf.cast(tf.randomUniform(shape, -1, count + 1, "float32", seed), "int32"));
      const hot = graph.op("OneHot", [indices, depth, on ? one : two, zero]);
      const spaced = graph.op("LinSpace", [zero, two, depth]);
      const bounds = [0, count, 1].map((value) => graph.constant(whole(value)));
      const filled = graph.op("Fill", [graph.constant(whole([2, count])), graph.constant(tf.scalar(0.5))]);
      // A constant is no output that tfjs gives: each meets an input.
      const x = graph.input(normal([count], seed));
      const counted = graph.op("Cast", [graph.op("Range", bounds)], { DstT: attr.type("DT_FLOAT") });
      return graph.done(hot, ...[spaced, counted, filled].map((value) => graph.op("Mul", [value, x])));
    },
  ),
};

testFamilies(families, 40);
