/** Whole networks: those of images have no Transpose, whatever the converter fused; any chain of ops keeps its values. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { expectAgreement, openGraphModel } from "../../fixtures/graph-models.ts";
import { type Families, graphOf, testFamilies } from "../../fixtures/op-cases.ts";
import { attr, normal, type OpGraph, type OpGraphBuilder, opGraph, type Ref, whole } from "../../fixtures/op-graphs.ts";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** Layers as the converter writes them: `isFused` with bias and activation in the convolution, else with a batch norm behind. */
function layersOf(graph: OpGraphBuilder, isFused: boolean) {
  let seed = 1;
  const weights = (shape: readonly number[]): Ref => graph.constant(tf.mul(normal(shape, seed++), 0.4));
  const conv = (x: Ref, shape: readonly number[], stride = 1, isDepthwise = false): Ref => {
    const units = isDepthwise ? shape[2]! * shape[3]! : shape[3]!;
    const attrs = {
      strides: attr.ints([1, stride, stride, 1]),
      dilations: attr.ints([1, 1, 1, 1]),
      padding: attr.s("SAME"),
      data_format: attr.s("NHWC"),
    };
    if (isFused) {
      const type = isDepthwise ? "FusedDepthwiseConv2dNative" : "_FusedConv2D";
      const fused = { fused_ops: attr.texts(["BiasAdd", "Relu6"]), num_args: attr.i(1) };
      return graph.op(type, [x, weights(shape), weights([units])], { ...attrs, ...fused });
    }
    const product = graph.op(isDepthwise ? "DepthwiseConv2dNative" : "Conv2D", [x, weights(shape)], attrs);
    const variance = graph.constant(tf.add(tf.abs(normal([units], seed++)), 0.1));
    const norm = [weights([units]), weights([units]), weights([units]), variance];
    return graph.op("Relu", [graph.op("FusedBatchNormV3", [product, ...norm], { epsilon: attr.f(1e-3) })]);
  };
  const dense = (x: Ref, from: number, to: number): Ref =>
    graph.op("_FusedMatMul", [x, weights([from, to]), weights([to])], {
      fused_ops: attr.texts(["BiasAdd"]),
      num_args: attr.i(1),
    });
  const mean = (x: Ref, keep: boolean): Ref =>
    graph.op("Mean", [x, graph.constant(whole([1, 2]))], { keep_dims: attr.b(keep) });
  return { conv, dense, mean };
}

const NETWORKS: { readonly [name: string]: (graph: OpGraphBuilder, x: Ref, isFused: boolean) => Ref } = {
  "MobileNet-like": (graph, input, isFused) => {
    const { conv, dense, mean } = layersOf(graph, isFused);
    const stem = conv(input, [3, 3, 3, 8], 2);
    const wide = conv(stem, [1, 1, 8, 16]);
    const deep = conv(wide, [3, 3, 16, 1], 1, true);
    // Squeeze and excite: a mean, two convolutions of 1 x 1, a product.
    const squeezed = graph.op("Reshape", [mean(deep, false), graph.constant(whole([-1, 1, 1, 16]))]);
    const gate = graph.op("Sigmoid", [conv(squeezed, [1, 1, 16, 16])]);
    const narrow = conv(graph.op("Mul", [deep, gate]), [1, 1, 16, 8]);
    const sum = graph.op("AddV2", [narrow, stem]);
    const pooled = graph.op("Squeeze", [mean(sum, true)], { squeeze_dims: attr.ints([1, 2]) });
    return graph.op("Softmax", [dense(pooled, 8, 5)]);
  },
  "ResNet-like": (graph, input, isFused) => {
    const { conv, dense, mean } = layersOf(graph, isFused);
    const padded = graph.op("Pad", [
      input,
      graph.constant(
        whole([
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]),
      ),
    ]);
    const stem = conv(padded, [3, 3, 3, 8]);
    const block = (x: Ref, from: number, to: number): Ref =>
      graph.op("Relu", [
        graph.op("AddV2", [conv(conv(x, [3, 3, from, to], 2), [3, 3, to, to]), conv(x, [1, 1, from, to], 2)]),
      ]);
    const deep = block(block(stem, 8, 12), 12, 16);
    const joined = graph.op("ConcatV2", [deep, graph.op("Neg", [deep]), graph.constant(whole(3))], { N: attr.i(2) });
    return dense(mean(joined, false), 32, 5);
  },
  "DS-CNN-like, flattened": (graph, input, isFused) => {
    const { conv, dense } = layersOf(graph, isFused);
    const stem = conv(input, [4, 10, 3, 8], 2);
    const deep = conv(conv(stem, [3, 3, 8, 1], 1, true), [1, 1, 8, 12]);
    const pooled = graph.op("AvgPool", [deep], {
      ksize: attr.ints([1, 2, 2, 1]),
      strides: attr.ints([1, 2, 2, 1]),
      padding: attr.s("VALID"),
    });
    const flat = graph.op("Reshape", [pooled, graph.constant(whole([-1, 4 * 3 * 12]))]);
    return graph.op("Softmax", [dense(flat, 4 * 3 * 12, 5)]);
  },
};

test.each(Object.keys(NETWORKS).flatMap((name) => [[name, true] as const, [name, false] as const]))(
  "%s, fused %s: no Transpose, every batch norm folded",
  async (name, isFused) => {
    const graph = opGraph();
    const x = graph.input(normal([2, 16, 13, 3], 99), true);
    const { artifacts, inputs } = graph.done(NETWORKS[name]!(graph, x, isFused));
    const model = await openGraphModel(artifacts);
    const { report } = await expectAgreement(artifacts, model, inputs, { tolerance: 1e-5 });
    expect(report.ops.Transpose ?? 0).toBe(0);
    expect(report.ops.BatchNormalization ?? 0).toBe(0);
    model.dispose();
  },
);

test("a network that takes images of any size, however many", async () => {
  const graph = opGraph();
  const attr2 = attr.ints([1, 2, 2, 1]);
  const x = graph.input(normal([2, 9, 12, 3], 5), true, true);
  const { conv, dense, mean } = layersOf(graph, true);
  const pooled = graph.op("MaxPool", [conv(x, [3, 3, 3, 4], 2)], {
    ksize: attr2,
    strides: attr2,
    padding: attr.s("SAME"),
  });
  const { artifacts, inputs } = graph.done(dense(mean(conv(pooled, [3, 3, 4, 6]), false), 6, 2), pooled);
  const model = await openGraphModel(artifacts);
  const { graph: exported } = await expectAgreement(artifacts, model, inputs, { tolerance: 1e-5 });
  expect(exported.inputs[0]!.shape.filter((size) => typeof size === "number")).toEqual([3]);
  model.dispose();
});

/** A step of a chain, on a value whose shape is followed. */
type Step = (
  graph: OpGraphBuilder,
  x: Ref,
  shape: readonly number[],
  free: number,
) => readonly [Ref, readonly number[]];

const window = { strides: attr.ints([1, 1, 1, 1]), padding: attr.s("SAME") };

const STEPS: { readonly [name: string]: Step } = {
  relu: (graph, x, shape) => [graph.op("Relu", [x]), shape],
  add: (graph, x, shape, free) => [graph.op("Add", [x, graph.constant(normal(shape.slice(-1), free))]), shape],
  twice: (graph, x, shape, free) => {
    const axis = free % shape.length;
    const joined = graph.op("ConcatV2", [x, x, graph.constant(whole(axis))], { N: attr.i(2) });
    return shape[axis]! > 8 ? [x, shape] : [joined, shape.map((size, i) => (i === axis ? 2 * size : size))];
  },
  turn: (graph, x, shape, free) => {
    const order = shape.map((_, axis) => (axis + free) % shape.length);
    return [graph.op("Transpose", [x, graph.constant(whole(order))]), order.map((axis) => shape[axis]!)];
  },
  pool: (graph, x, shape) => {
    if (shape.length !== 4) return [x, shape];
    return [graph.op("MaxPool", [x], { ...window, ksize: attr.ints([1, 2, 2, 1]) }), shape];
  },
  conv: (graph, x, shape, free) => {
    if (shape.length !== 4) return [x, shape];
    const filter = graph.constant(tf.mul(normal([2, 1, shape[3]!, 3], free), 0.4));
    return [
      graph.op("Conv2D", [x, filter], { ...window, dilations: attr.ints([1, 1, 1, 1]) }),
      [...shape.slice(0, 3), 3],
    ];
  },
  mean: (graph, x, shape, free) => {
    if (shape.length < 2) return [x, shape];
    const axis = free % shape.length;
    const op = graph.op("Mean", [x, graph.constant(whole([axis]))], { keep_dims: attr.b(free % 2 === 0) });
    return [op, free % 2 === 0 ? shape.map((size, i) => (i === axis ? 1 : size)) : shape.filter((_, i) => i !== axis)];
  },
  widen: (graph, x, shape, free) => {
    if (shape.length > 3) return [x, shape];
    const axis = free % (shape.length + 1);
    return [
      graph.op("ExpandDims", [x, graph.constant(whole(axis))]),
      [...shape.slice(0, axis), 1, ...shape.slice(axis)],
    ];
  },
  squeeze: (graph, x, shape) => {
    if (!shape.includes(1) || shape.every((size) => size === 1)) return [x, shape];
    return [graph.op("Squeeze", [x], {}), shape.filter((size) => size !== 1)];
  },
  flatten: (graph, x, shape) => {
    const [first, ...rest] = shape as [number, ...number[]];
    const count = rest.reduce((product, size) => product * size, 1);
    return [graph.op("Reshape", [x, graph.constant(whole([first, -1]))]), [first, count]];
  },
  spread: (graph, x, shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count % 2 === 1) return [x, shape];
    return [graph.op("Reshape", [x, graph.constant(whole([2, 1, count / 2]))]), [2, 1, count / 2]];
  },
  product: (graph, x, shape, free) => {
    if (shape.length !== 2) return [x, shape];
    return [graph.op("MatMul", [x, graph.constant(tf.mul(normal([shape[1]!, 4], free), 0.4))]), [shape[0]!, 4]];
  },
  pad: (graph, x, shape, free) => {
    const axis = free % shape.length;
    const pairs = shape.map((_, i) => (i === axis ? [1, 0] : [0, 0]));
    return [graph.op("Pad", [x, graph.constant(whole(pairs))]), shape.map((size, i) => (i === axis ? size + 1 : size))];
  },
  cut: (graph, x, shape, free) => {
    const axis = free % shape.length;
    if (shape[axis]! < 2) return [x, shape];
    const begin = shape.map((_, i) => (i === axis ? 1 : 0));
    const op = graph.op("Slice", [x, graph.constant(whole(begin)), graph.constant(whole(shape.map(() => -1)))]);
    return [op, shape.map((size, i) => size - begin[i]!)];
  },
};

const chains: Families = {
  "chains of any ops": graphOf(
    fc.record({
      shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }),
      steps: fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.integer({ min: 1, max: 99 })), {
        minLength: 1,
        maxLength: 9,
      }),
    }),
    ({ shape, steps }): OpGraph => {
      const graph = opGraph();
      let [x, sizes]: readonly [Ref, readonly number[]] = [graph.input(normal(shape, 7)), shape];
      for (const [step, free] of steps) [x, sizes] = STEPS[step]!(graph, x, sizes, free);
      return graph.done(graph.op("Sigmoid", [x]));
    },
  ),
};

testFamilies(chains, 300);
