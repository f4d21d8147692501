/** Ops that cut, join, reorder, reduce and multiply, on values that lie in every order, and shapes computed from shapes. */
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
const size = fc.integer({ min: 1, max: 5 });
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const seed = fc.integer({ min: 1, max: 999 });
const value = fc.record({ shape, order: orders, isOpen: fc.boolean(), seed });
type Value = typeof value extends fc.Arbitrary<infer T> ? T : never;

const put = (graph: OpGraphBuilder, { shape: sizes, order, isOpen, seed: from }: Value): Ref =>
  lying(graph, normal(sizes, from), order, isOpen && sizes.length > 1);

/** A number in a range that the shape gives, by a free one. */
const among = (free: number, count: number): number => free % count;

const REDUCTIONS = ["Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"];

const families: Families = {
  reductions: graphOf(
    fc.record({ value, op: fc.constantFrom(...REDUCTIONS), mask: fc.nat(15), keep: fc.boolean() }),
    ({ value: given, op, mask, keep }) => {
      const graph = opGraph();
      const axes = given.shape.flatMap((_, axis) =>
        (mask >> axis) & 1 ? [axis % 2 === 0 ? axis : axis - given.shape.length] : [],
      );
      const axis = graph.constant(whole(axes.length === 0 ? [0] : axes));
      return graph.done(graph.op(op, [put(graph, given), axis], { keep_dims: attr.b(keep) }));
    },
  ),
  "All, Any, ArgMax, ArgMin, Cumsum": graphOf(
    fc.record({ value, free: fc.nat(99), keep: fc.boolean(), exclusive: fc.boolean(), reverse: fc.boolean() }),
    ({ value: given, free, keep, exclusive, reverse }) => {
      const graph = opGraph();
      const x = put(graph, given);
      const at = among(free, given.shape.length);
      const axis = graph.constant(whole(at));
      const axes = graph.constant(whole([at]));
      const isTrue = graph.op("Greater", [x, graph.constant(tf.scalar(0))]);
      return graph.done(
        graph.op("All", [isTrue, axes], { keep_dims: attr.b(keep) }),
        graph.op("Any", [isTrue, axes], { keep_dims: attr.b(keep) }),
        graph.op("ArgMax", [x, axis]),
        graph.op("ArgMin", [x, axis]),
        graph.op("Cumsum", [x, axis], { exclusive: attr.b(exclusive), reverse: attr.b(reverse) }),
      );
    },
  ),
  "Slice, Reverse, Tile, Pad, MirrorPad": graphOf(
    fc.record({ value, free: fc.array(fc.nat(99), { minLength: 8, maxLength: 8 }), fill: fc.constantFrom(0, 1.5) }),
    ({ value: given, free, fill }) => {
      const graph = opGraph();
      const x = put(graph, given);
      const { shape: sizes, isOpen } = given;
      const begin = sizes.map((length, axis) => (isOpen && axis === 0 ? 0 : among(free[axis]!, length)));
      const count = sizes.map((length, axis) =>
        free[axis + 4]! % 3 === 0 || (isOpen && axis === 0) ? -1 : 1 + among(free[axis + 4]!, length - begin[axis]!),
      );
      const pairs = sizes.map((length, axis): number[] =>
        isOpen && axis === 0
          ? [0, 0]
          : [among(free[axis]!, Math.min(length, 3)), among(free[axis + 4]!, Math.min(length, 3))],
      );
      const paddings = graph.constant(whole(pairs));
      return graph.done(
        graph.op("Slice", [x, graph.constant(whole(begin)), graph.constant(whole(count))]),
        graph.op("ReverseV2", [x, graph.constant(whole([sizes.length - 1]))]),
        graph.op("Tile", [x, graph.constant(whole(sizes.map((_, axis) => 1 + (free[axis]! % 2))))]),
        graph.op("PadV2", [x, paddings, graph.constant(tf.scalar(fill))]),
        graph.op("MirrorPad", [x, paddings], { mode: attr.s("REFLECT") }),
      );
    },
  ),
  StridedSlice: graphOf(
    fc.record({
      value,
      free: fc.array(
        fc.record({
          begin: fc.integer({ min: -3, max: 3 }),
          reach: fc.nat(4),
          step: fc.constantFrom(1, 1, 2, -1),
          kind: fc.nat(9),
        }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    }),
    ({ value: given, free }) => {
      const graph = opGraph();
      const sizes = given.shape;
      let [beginMask, endMask, shrink, added, axis] = [0, 0, 0, 0, 0];
      const bounds = free.flatMap(({ begin, reach, step, kind }) => {
        if (axis >= sizes.length) return [];
        const i = added + axis;
        if (kind === 0 && added === 0) {
          added = 1;
          return [{ begin: 0, end: 0, step: 1, isNew: 1 << i }];
        }
        const length = sizes[axis]!;
        const start = Math.min(Math.max(begin, -length), length - 1);
        const from = start < 0 ? start + length : start;
        axis++;
        if (kind === 1 || (given.isOpen && axis === 1)) {
          [beginMask, endMask] = [beginMask | (1 << i), endMask | (1 << i)];
          return [{ begin: 0, end: 0, step: 1, isNew: 0 }];
        }
        if (kind === 2) {
          shrink |= 1 << i;
          return [{ begin: start, end: start + 1, step: 1, isNew: 0 }];
        }
        if (step < 0) {
          endMask |= 1 << i;
          return [{ begin: from, end: 0, step: -1, isNew: 0 }];
        }
        return [{ begin: from, end: Math.min(from + 1 + reach, length), step, isNew: 0 }];
      });
      const column = (part: "begin" | "end" | "step"): Ref => graph.constant(whole(bounds.map((bound) => bound[part])));
      return graph.done(
        graph.op(
          "StridedSlice",
          [
            put(graph, { ...given, isOpen: given.isOpen && added === 0 }),
            column("begin"),
            column("end"),
            column("step"),
          ],
          {
            begin_mask: attr.i(beginMask),
            end_mask: attr.i(endMask),
            shrink_axis_mask: attr.i(shrink),
            new_axis_mask: attr.i(bounds.reduce((mask, { isNew }) => mask | isNew, 0)),
            ellipsis_mask: attr.i(0),
          },
        ),
      );
    },
  ),
  "Concat, Pack, Split, SplitV, Unpack": graphOf(
    fc.record({ shape, orders: fc.array(orders, { minLength: 2, maxLength: 3 }), free: fc.nat(99), seed }),
    ({ shape: sizes, orders: all, free, seed: from }) => {
      const graph = opGraph();
      const values = all.map((order, i) => lying(graph, normal(sizes, from + i), order));
      const at = among(free, sizes.length);
      const axis = graph.constant(whole(at));
      const joined = graph.op("ConcatV2", [...values, graph.constant(whole(at - sizes.length))], {
        N: attr.i(all.length),
      });
      const even = graph.op("Split", [axis, joined], { num_split: attr.i(all.length) });
      const uneven = graph.op("SplitV", [joined, graph.constant(whole([1, sizes[at]! * all.length - 1])), axis], {
        num_split: attr.i(2),
      });
      const packed = graph.op("Pack", values, { axis: attr.i(among(free, sizes.length + 1)) });
      const parts = graph.op("Unpack", [joined], { axis: attr.i(at), num: attr.i(sizes[at]! * all.length) });
      const isSplit = sizes[at]! * all.length > 1;
      return graph.done(joined, `${even}:${all.length - 1}`, ...(isSplit ? [`${uneven}:1`] : []), packed, `${parts}:1`);
    },
  ),
  "Gather, GatherNd, scatters, TopK": graphOf(
    fc.record({ value, free: fc.nat(99), count: fc.integer({ min: 1, max: 3 }), isTable: fc.boolean() }),
    ({ value: given, free, count, isTable }) => {
      const graph = opGraph();
      const { shape: sizes } = given;
      const x = put(graph, { ...given, isOpen: false });
      const at = among(free, sizes.length);
      const places = tf.cast(
        tf.randomUniform(isTable ? [2, count] : [count], 0, sizes[at]!, "float32", given.seed),
        "int32",
      );
      const rows = tf.cast(tf.randomUniform([count, 1], 0, sizes[0]!, "float32", given.seed), "int32");
      const columns = graph.input(rows);
      const last = sizes.at(-1)!;
      const k = graph.constant(whole(Math.min(count, last)));
      const top = graph.op("TopKV2", [x, k], { sorted: attr.b(true) });
      const picked = graph.op("GatherNd", [x, columns]);
      return graph.done(
        graph.op("GatherV2", [x, graph.input(places), graph.constant(whole(at))], { batch_dims: attr.i(0) }),
        picked,
        `${top}:0`,
        `${top}:1`,
      );
    },
  ),
  "blocks in the batch, and back": graphOf(
    fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      c: size,
      blocks: fc.tuple(size, size),
      order: orders,
      isOpen: fc.boolean(),
      seed,
    }),
    ({ batch, c, blocks: [bh, bw], order, isOpen, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, 2 * bh - 1, 2 * bw, c], from), order, isOpen);
      const block = graph.constant(whole([bh, bw]));
      const margins = graph.constant(
        whole([
          [1, 0],
          [0, 0],
        ]),
      );
      const apart = graph.op("Relu", [graph.op("SpaceToBatchND", [x, block, margins])]);
      return graph.done(apart, graph.op("BatchToSpaceND", [apart, block, margins]));
    },
  ),
  "ops under older or other names": graphOf(
    fc.record({ batch: size, n: fc.integer({ min: 2, max: 4 }), order: orders, isOpen: fc.boolean(), seed }),
    ({ batch, n, order, isOpen, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, n, n], from), order, isOpen);
      const turned = graph.op("Reverse", [x, graph.constant(tf.tensor1d([false, true, true], "bool"))]);
      const both = graph.op("IdentityN", [graph.op("EnsureShape", [x, graph.constant(whole([batch, n, n]))]), turned]);
      const shapes = graph.op("ShapeN", [x, turned]);
      const rank = graph.op("Cast", [graph.op("Rank", [x])], { DstT: attr.type("DT_FLOAT") });
      const sizes = graph.constant(whole([n, n]));
      const one = graph.op("Ones", [sizes], { T: attr.type("DT_FLOAT") });
      const none = graph.op("Zeros", [sizes], { T: attr.type("DT_FLOAT") });
      const isTrue = graph.op("Greater", [x, none]);
      const chosen = graph.op("Select", [isTrue, x, turned]);
      return graph.done(
        `${both}:1`,
        graph.op("Cast", [`${shapes}:1`], { DstT: attr.type("DT_FLOAT") }),
        graph.op("AddV2", [graph.op("Mul", [x, one]), rank]),
        graph.op("BatchMatMul", [x, chosen], { adj_x: attr.b(true) }),
      );
    },
  ),
  "ScatterNd, Gather in a batch": graphOf(
    fc.record({ n: fc.integer({ min: 2, max: 5 }), c: size, count: fc.integer({ min: 1, max: 6 }), seed }),
    ({ n, c, count, seed: from }) => {
      const graph = opGraph();
      const places = (shape: readonly number[]): Ref =>
        graph.input(tf.cast(tf.randomUniform([...shape], 0, n, "float32", from), "int32"));
      const updates = graph.input(normal([count, c], from));
      const table = graph.input(normal([2, n, c], from + 1));
      return graph.done(
        graph.op("ScatterNd", [places([count, 1]), updates, graph.constant(whole([n, c]))]),
        graph.op("GatherV2", [table, places([2, count]), graph.constant(whole(1))], { batch_dims: attr.i(1) }),
      );
    },
    [17, 18, 21],
  ),
  scatters: graphOf(fc.record({ n: fc.integer({ min: 3, max: 6 }), c: size, seed }), ({ n, c, seed: from }) => {
    const graph = opGraph();
    const rows = graph.input(whole([[n - 1], [0]]));
    const updates = graph.input(normal([2, c], from));
    const onto = graph.input(normal([n, c], from + 1));
    const flat = graph.op("SparseToDense", [
      rows,
      graph.constant(whole([n])),
      graph.input(normal([2], from)),
      graph.constant(tf.scalar(0.5)),
    ]);
    return graph.done(graph.op("TensorScatterUpdate", [onto, rows, updates]), flat);
  }),
  "products of matrices": graphOf(
    fc.record({
      batch: fc.array(size, { maxLength: 2 }),
      sizes: fc.tuple(size, size, size),
      turnA: fc.boolean(),
      turnB: fc.boolean(),
      order: orders,
      constant: fc.boolean(),
      kinds: fc.constantFrom<readonly string[]>([], ["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Prelu"]),
      seed,
    }),
    ({ batch, sizes: [m, k, n], turnA, turnB, order, constant, kinds, seed: from }) => {
      const graph = opGraph();
      const left = normal([...batch, ...(turnA ? [k, m] : [m, k])], from);
      const right = normal([...batch, ...(turnB ? [n, k] : [k, n])], from + 1);
      const inputs = [lying(graph, left, order), constant ? graph.constant(right) : graph.input(right)];
      if (batch.length > 0)
        return graph.done(graph.op("BatchMatMulV2", inputs, { adj_x: attr.b(turnA), adj_y: attr.b(turnB) }));
      const args = kinds.filter((kind) => kind !== "Relu").map((_, i) => graph.constant(normal([n], from + 2 + i)));
      const attrs = { transpose_a: attr.b(turnA), transpose_b: attr.b(turnB) };
      if (kinds.length === 0) return graph.done(graph.op("MatMul", inputs, attrs));
      const fused = { ...attrs, fused_ops: attr.texts(kinds), num_args: attr.i(args.length) };
      return graph.done(graph.op("_FusedMatMul", [...inputs, ...args], fused));
    },
  ),
  "an image that is flattened for a product": graphOf(
    fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      h: size,
      w: size,
      c: size,
      units: size,
      order: orders,
      isOpen: fc.boolean(),
      between: fc.constantFrom("", "Relu", "Softmax", "Add"),
      seed,
    }),
    ({ batch, h, w, c, units, order, isOpen, between, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, h, w, c], from), order, isOpen);
      const flat = graph.op("Reshape", [x, graph.constant(whole([-1, h * w * c]))]);
      const second = between === "Add" ? [graph.constant(normal([h * w * c], from + 2))] : [];
      const middle = between === "" ? flat : graph.op(between, [flat, ...second]);
      const product = graph.op("MatMul", [middle, graph.constant(normal([h * w * c, units], from + 1))]);
      return graph.done(product, graph.op("Identity", [middle]));
    },
  ),
  "Einsum, Softmax, BroadcastTo": graphOf(
    fc.record({ batch: size, m: size, n: size, order: orders, seed }),
    ({ batch, m, n, order, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, m, n], from), order);
      const y = graph.input(normal([batch, n, m], from + 1));
      return graph.done(
        graph.op("Einsum", [x, y], { equation: attr.s("bij,bjk->bik"), N: attr.i(2) }),
        graph.op("Softmax", [x]),
        graph.op("LogSoftmax", [x]),
        graph.op("BroadcastTo", [x, graph.constant(whole([2, batch, m, n]))]),
      );
    },
  ),
  "shapes made of shapes": graphOf(
    fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      h: size,
      w: size,
      c: size,
      order: orders,
      isOpen: fc.boolean(),
      seed,
    }),
    ({ batch, h, w, c, order, isOpen, seed: from }) => {
      const graph = opGraph();
      const x = lying(graph, normal([batch, h, w, c], from), order, isOpen);
      const shapeOf = graph.op("Shape", [x], { out_type: attr.type("DT_INT32") });
      const part = (axis: number): Ref =>
        graph.op("StridedSlice", [shapeOf, ...[[axis], [axis + 1], [1]].map((bound) => graph.constant(whole(bound)))], {
          begin_mask: attr.i(0),
          end_mask: attr.i(0),
          shrink_axis_mask: attr.i(1),
        });
      const pixels = graph.op("Mul", [part(1), part(2)]);
      const target = graph.op("Pack", [part(0), pixels, part(3)], { axis: attr.i(0) });
      const rows = graph.op("Reshape", [x, target]);
      const axes = graph.op("Pack", [graph.op("FloorDiv", [pixels, part(2)]), part(2)], { axis: attr.i(0) });
      const back = graph.op(
        "ConcatV2",
        [
          graph.op("Slice", [shapeOf, graph.constant(whole([0])), graph.constant(whole([1]))]),
          axes,
          graph.op("ExpandDims", [part(3), graph.constant(whole(0))]),
          graph.constant(whole(0)),
        ],
        { N: attr.i(3) },
      );
      const zeros = graph.op("Fill", [shapeOf, graph.constant(tf.scalar(0.5))]);
      return graph.done(
        rows,
        graph.op("Add", [graph.op("Reshape", [rows, back]), zeros]),
        graph.op("Size", [rows]),
        shapeOf,
      );
    },
  ),
};

testFamilies(families, 40);
