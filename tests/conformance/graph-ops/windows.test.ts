/** Ops on images and volumes: convolutions and what is fused to them, pooling, norms, other sizes. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { type Families, graphOf, testFamilies } from "../../fixtures/op-cases.ts";
import {
  attr,
  type Lying,
  lying,
  normal,
  type OpGraphBuilder,
  opGraph,
  type Ref,
  whole,
} from "../../fixtures/op-graphs.ts";

const orders = fc.constantFrom<Lying>("plain", "image", "turned");
const channels = fc.integer({ min: 1, max: 4 });
const size = fc.integer({ min: 5, max: 9 });
const taps = fc.integer({ min: 1, max: 3 });
const seed = fc.integer({ min: 1, max: 999 });
const image = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  h: size,
  w: size,
  c: channels,
  order: orders,
  isOpen: fc.boolean(),
  seed,
});
const window = fc.record({
  kernel: fc.tuple(taps, taps),
  step: fc.oneof(
    fc.record({ strides: fc.tuple(taps, taps), dilations: fc.constant([1, 1] as const) }),
    fc.record({
      strides: fc.constant([1, 1] as const),
      dilations: fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)),
    }),
  ),
  padding: fc.constantFrom("SAME", "VALID", "EXPLICIT"),
});
type Image = typeof image extends fc.Arbitrary<infer T> ? T : never;

const put = (graph: OpGraphBuilder, { batch, h, w, c, order, isOpen, seed: from }: Image): Ref =>
  lying(graph, normal([batch, h, w, c], from), order, isOpen);

interface Steps {
  readonly step: { readonly strides: readonly number[]; readonly dilations: readonly number[] };
  readonly padding: string;
}

const attrsOf = ({ step: { strides, dilations }, padding }: Steps): { readonly [name: string]: object } => ({
  strides: attr.ints([1, ...strides, 1]),
  dilations: attr.ints([1, ...dilations, 1]),
  padding: attr.s(padding),
  data_format: attr.s("NHWC"),
  ...(padding === "EXPLICIT" && { explicit_paddings: attr.ints([0, 0, 1, 0, 0, 2, 0, 0]) }),
});

/** Bias and activation as the converter fuses them, with the arguments that they take. */
const FUSED = [[], ["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Relu6"], ["BiasAdd", "Elu"], ["BiasAdd", "Prelu"]];
const ACTIVATIONS = [...FUSED, ["BiasAdd", "LeakyRelu"], ["BiasAdd", "Sigmoid"]];
const argumentsOf = (graph: OpGraphBuilder, kinds: readonly string[], units: number, from: number): readonly Ref[] =>
  kinds
    .filter((kind) => kind === "BiasAdd" || kind === "Prelu")
    .map((kind, i) => graph.constant(normal(kind === "Prelu" ? [1, 1, units] : [units], from + i)));

const families: Families = {
  "Conv2D and what it fuses": graphOf(
    fc.record({ image, window, filters: channels, kinds: fc.constantFrom(...ACTIVATIONS) }),
    ({ image: given, window: how, filters, kinds }) => {
      const graph = opGraph();
      const filter = graph.constant(normal([...how.kernel, given.c, filters], 3));
      const args = argumentsOf(graph, kinds, filters, 4);
      return graph.done(
        graph.op("_FusedConv2D", [put(graph, given), filter, ...args], {
          ...attrsOf(how),
          num_args: attr.i(args.length),
          fused_ops: attr.texts(kinds),
          leakyrelu_alpha: attr.f(0.3),
        }),
      );
    },
  ),
  "depthwise and what it fuses": graphOf(
    fc.record({ image, window, multiplier: fc.integer({ min: 1, max: 2 }), kinds: fc.constantFrom(...FUSED) }),
    ({ image: given, window: how, multiplier, kinds }) => {
      const graph = opGraph();
      const [stride] = how.step.strides;
      const square = { padding: how.padding, step: { strides: [stride, stride], dilations: how.step.dilations } };
      const filter = graph.constant(normal([...how.kernel, given.c, multiplier], 3));
      const args = argumentsOf(graph, kinds, given.c * multiplier, 4);
      const type =
        kinds.length === 0
          ? multiplier === 1
            ? "DepthwiseConv2dNative"
            : "DepthwiseConv2d"
          : "FusedDepthwiseConv2dNative";
      return graph.done(
        graph.op(type, [put(graph, given), filter, ...args], {
          ...attrsOf(square),
          num_args: attr.i(args.length),
          ...(kinds.length > 0 && { fused_ops: attr.texts(kinds) }),
        }),
      );
    },
  ),
  "channels first by the node's own format": graphOf(
    fc.record({ h: size, w: size, c: channels, filters: channels, window, seed }),
    ({ h, w, c, filters, window: how, seed: from }) => {
      const graph = opGraph();
      const filter = graph.constant(normal([...how.kernel, c, filters], from));
      const { strides, dilations } = how.step;
      return graph.done(
        graph.op("Conv2D", [graph.input(normal([1, c, h, w], from + 1)), filter], {
          strides: attr.ints([1, strides[0], strides[0], strides[0]]),
          dilations: attr.ints([1, dilations[0], dilations[0], dilations[0]]),
          padding: attr.s(how.padding === "SAME" ? "SAME" : "VALID"),
          data_format: attr.s("NCHW"),
        }),
      );
    },
  ),
  "Conv1D and a sequence as an image": graphOf(
    fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      steps: size,
      c: channels,
      filters: channels,
      k: taps,
      order: orders,
      seed,
    }),
    ({ batch, steps, c, filters, k, order, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, steps, c], from), order);
      const axis = graph.constant(whole(1));
      const wide = graph.op("ExpandDims", [x, axis]);
      const conv = graph.op("Conv2D", [wide, graph.constant(normal([1, k, c, filters], from + 1))], {
        strides: attr.ints([1, 1, 2, 1]),
        dilations: attr.ints([1, 1, 1, 1]),
        padding: attr.s("SAME"),
      });
      const narrow = graph.op("Relu", [graph.op("Squeeze", [conv], { squeeze_dims: attr.ints([1]) })]);
      const again = graph.op("Conv1D", [narrow, graph.constant(normal([k, filters, c], from + 2))], {
        stride: attr.i(1),
        padding: attr.s("SAME"),
      });
      return graph.done(again);
    },
  ),
  Conv2DBackpropInput: graphOf(
    fc.record({
      image,
      kernel: fc.tuple(taps, taps),
      stride: taps,
      filters: channels,
      isSame: fc.boolean(),
      extra: fc.nat(1),
    }),
    ({ image: given, kernel, stride, filters, isSame, extra }) => {
      const graph = opGraph();
      const sizes = [given.h, given.w].map((length, i) => {
        const more = Math.min(extra, stride - 1);
        return isSame ? length * stride - more : (length - 1) * stride + kernel[i]! + more;
      });
      const shape = graph.constant(whole([given.batch, ...sizes, filters]));
      return graph.done(
        graph.op(
          "Conv2DBackpropInput",
          [shape, graph.constant(normal([...kernel, filters, given.c], 3)), put(graph, given)],
          {
            strides: attr.ints([1, stride, stride, 1]),
            padding: attr.s(isSame ? "SAME" : "VALID"),
          },
        ),
      );
    },
  ),
  pooling: graphOf(
    fc.record({
      image,
      kernel: fc.tuple(taps, taps),
      strides: fc.tuple(taps, taps),
      isSame: fc.boolean(),
      isMax: fc.boolean(),
    }),
    ({ image: given, kernel, strides, isSame, isMax }) => {
      const graph = opGraph();
      return graph.done(
        graph.op(isMax ? "MaxPool" : "AvgPool", [put(graph, given)], {
          ksize: attr.ints([1, ...kernel, 1]),
          strides: attr.ints([1, ...strides, 1]),
          padding: attr.s(isSame ? "SAME" : "VALID"),
        }),
      );
    },
  ),
  volumes: graphOf(
    fc.record({
      kind: fc.constantFrom("Conv3D", "MaxPool3D", "AvgPool3D"),
      c: channels,
      k: taps,
      filters: channels,
      isSame: fc.boolean(),
      seed,
    }),
    ({ kind, c, k, filters, isSame, seed: from }) => {
      const graph = opGraph();
      const x = graph.input(normal([1, 4, 5, 4, c], from));
      const filter = kind === "Conv3D" ? [graph.constant(normal([k, k, k, c, filters], from + 1))] : [];
      return graph.done(
        graph.op(kind, [x, ...filter], {
          ...(kind !== "Conv3D" && { ksize: attr.ints([1, k, k, k, 1]) }),
          strides: attr.ints([1, 1, 1, 1, 1]),
          dilations: attr.ints([1, 1, 1, 1, 1]),
          padding: attr.s(isSame ? "SAME" : "VALID"),
          data_format: attr.s("NDHWC"),
        }),
      );
    },
  ),
  norms: graphOf(
    fc.record({
      image,
      kind: fc.constantFrom("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "LRN"),
      behind: fc.boolean(),
    }),
    ({ image: given, kind, behind }) => {
      const graph = opGraph();
      const x = put(graph, given);
      const input = behind
        ? graph.op("Conv2D", [x, graph.constant(normal([1, 1, given.c, given.c], 2))], {
            strides: attr.ints([1, 1, 1, 1]),
            dilations: attr.ints([1, 1, 1, 1]),
            padding: attr.s("SAME"),
          })
        : x;
      if (kind === "LRN")
        return graph.done(
          graph.op("LRN", [input], {
            depth_radius: attr.i(2),
            bias: attr.f(1),
            alpha: attr.f(0.5),
            beta: attr.f(0.75),
          }),
        );
      const weights = [3, 4, 5, 6].map((from, i) => {
        const values = normal([given.c], from);
        return graph.constant(i === 3 ? tf.add(tf.abs(values), 0.1) : values);
      });
      return graph.done(graph.op(kind, [input, ...weights], { epsilon: attr.f(1e-3), is_training: attr.b(false) }));
    },
  ),
  "other sizes": graphOf(
    fc.record({
      image,
      kind: fc.constantFrom("ResizeBilinear", "ResizeNearestNeighbor"),
      to: fc.tuple(fc.integer({ min: 2, max: 14 }), fc.integer({ min: 2, max: 14 })),
      mode: fc.constantFrom("align_corners", "half_pixel_centers", "neither"),
    }),
    ({ image: given, kind, to, mode }) => {
      const graph = opGraph();
      // Nearest picks by comparing fractions: only factors that are whole numbers leave no doubt which.
      const sizes = kind === "ResizeBilinear" ? to : [given.h * ((to[0] % 3) + 1), given.w * ((to[1] % 3) + 1)];
      const isAligned = mode === "align_corners" && kind === "ResizeBilinear";
      return graph.done(
        graph.op(kind, [put(graph, given), graph.constant(whole(sizes))], {
          align_corners: attr.b(isAligned),
          half_pixel_centers: attr.b(mode === "half_pixel_centers"),
        }),
      );
    },
  ),
  DepthToSpace: graphOf(fc.record({ image, block: fc.constantFrom(2, 3) }), ({ image: given, block }) => {
    const graph = opGraph();
    const x = put(graph, { ...given, c: given.c * block * block });
    return graph.done(graph.op("DepthToSpace", [x], { block_size: attr.i(block), data_format: attr.s("NHWC") }));
  }),
};

testFamilies(families, 40);
