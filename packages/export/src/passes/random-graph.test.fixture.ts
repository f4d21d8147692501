/** Small graphs drawn at random, out of what tools leave in their files: for tests of passes. */
import fc from "fast-check";
import { float, int, ints, text } from "../attr.ts";
import type { Attrs, Edge, Graph, Node, Tensor, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { floatTensor, intTensor, scalar } from "../tensor.ts";
import { removeUnused } from "./remove-unused.ts";

/** Writes a graph down node by node. */
export class GraphWriter {
  readonly nodes: Node[] = [];
  readonly constants = new Map<Edge, Tensor>();
  readonly opset: number;
  readonly #input: Value;

  constructor(opset: number, shape: readonly (number | string)[]) {
    this.opset = opset;
    this.#input = { name: "x", dtype: "float32", shape };
  }

  /** Adds a node; a number stands for a scalar constant, a tensor for itself. */
  add(op: string, inputs: readonly (Edge | number | Tensor)[], attrs: Attrs = {}): Edge {
    const name = `${op.toLowerCase()}_${this.nodes.length}`;
    const edges = inputs.map((input, i) => {
      if (typeof input === "string") return input;
      this.constants.set(`${name}/${i}`, typeof input === "number" ? scalar(input) : input);
      return `${name}/${i}`;
    });
    this.nodes.push({ op, domain: "", name, inputs: edges, outputs: [name], attrs });
    return name;
  }

  finish(outputs: readonly Edge[]): Graph {
    const graph = inferShapes({
      name: "drawn",
      opset: this.opset,
      inputs: [this.#input],
      outputs: [],
      nodes: this.nodes,
      constants: this.constants,
      values: new Map(),
    });
    return removeUnused({ ...graph, outputs: outputs.map((edge) => graph.values.get(edge)!) });
  }
}

/** Numbers that differ from seed to seed, within ±1. */
export function noise(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(seed * 7.13 + i * 12.9898));
}

const weights = (seed: number, shape: readonly number[]): Tensor =>
  floatTensor(
    noise(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

/** A step that takes a value of `[n, ...shape]` on. */
type Step = (
  writer: GraphWriter,
  x: Edge,
  shape: readonly number[],
  seed: number,
) => readonly [Edge, readonly number[]];

const same =
  (step: (writer: GraphWriter, x: Edge, shape: readonly number[], seed: number) => Edge): Step =>
  (writer, x, shape, seed) => [step(writer, x, shape, seed), shape];

const batchNorm = (w: GraphWriter, x: Edge, channels: number, seed: number): Edge =>
  w.add(
    "BatchNormalization",
    [
      x,
      weights(seed, [channels]),
      weights(seed + 1, [channels]),
      weights(seed + 2, [channels]),
      floatTensor(
        noise(channels, seed + 3).map((v) => 1.5 + v),
        [channels],
      ),
    ],
    { epsilon: float(1e-3) },
  );

/** Product of factors in an order that depends on the seed. */
const product = (w: GraphWriter, factors: readonly (Edge | number)[], seed: number): Edge =>
  factors
    .map((factor, i) => factors[(i + seed) % factors.length] ?? factor)
    .reduce((a, b) => w.add("Mul", [a, b])) as Edge;

const mean = (w: GraphWriter, x: Edge): Edge =>
  w.opset >= 18 ? w.add("ReduceMean", [x, intTensor([-1])]) : w.add("ReduceMean", [x], { axes: ints([-1]) });

/** Steps by name: what a pass looks for, and what is nearly that. */
export const STEPS: { readonly [name: string]: Step } = {
  relu: same((w, x) => w.add("Relu", [x])),
  tanh: same((w, x) => w.add("Tanh", [x])),
  identity: same((w, x) => w.add("Identity", [x])),
  dropout: same((w, x) => w.add("Dropout", [x])),
  cast: same((w, x) => w.add("Cast", [x], { to: int(1) })),
  relu6: same((w, x, _shape, seed) => w.add("Min", seed % 2 === 0 ? [w.add("Relu", [x]), 6] : [6, w.add("Relu", [x])])),
  bounds: same((w, x, _shape, seed) => w.add("Max", [w.add("Min", [x, (seed % 3) / 2]), (seed % 5) / 4 - 0.5])),
  clip: same((w, x, _shape, seed) => w.add("Clip", seed % 2 === 0 ? [x, -0.5, 0.5] : [x, "", 0.7])),
  scaled: same((w, x, _shape, seed) => w.add("Add", [w.add("Mul", [x, 1 + (seed % 4)]), 0.25])),
  perChannel: same((w, x, shape, seed) =>
    w.add("Add", [x, weights(seed, [shape[0]!, ...shape.slice(1).map(() => 1)])]),
  ),
  arithmetic: same((w, x, shape, seed) => {
    const sum = w.add("Add", [weights(seed, shape.slice(-1)), 0.5]);
    return w.add("Mul", [x, w.add("Sqrt", [w.add("Mul", [sum, sum])])]);
  }),
  twice: same((w, x) => w.add("Add", [x, w.add("Sigmoid", [x])])),
  transposed: (w, x, shape, seed) => {
    const turns = shape.map((_, i) => 1 + ((i + seed) % shape.length));
    return [w.add("Transpose", [x], { perm: ints([0, ...turns]) }), turns.map((axis) => shape[axis - 1]!)];
  },
  wrapped: same((w, x, shape) => {
    const [there, back] = [
      shape.map((_, i) => 1 + ((i + 1) % shape.length)),
      shape.map((_, i) => 1 + ((i + shape.length - 1) % shape.length)),
    ];
    const turned = w.add("Softmax", [w.add("Transpose", [x], { perm: ints([0, ...there]) })], {
      axis: int(shape.length),
    });
    return w.add("Mul", [w.add("Transpose", [turned], { perm: ints([0, ...back]) }), 3]);
  }),
  centredMean: same((w, x) => w.add("Sub", [x, mean(w, x)])),
  reshapedAsItWas: same((w, x, shape) => w.add("Reshape", [x, intTensor([-1, ...shape])])),
  reshapedByItsShape: same((w, x, shape) => {
    const batch = w.add("Gather", [w.add("Shape", [x]), intTensor([0])], { axis: int(0) });
    return w.add("Reshape", [x, w.add("Concat", [batch, intTensor(shape)], { axis: int(0) })]);
  }),
  hardSwish: same((w, x, _shape, seed) => product(w, [x, w.add("Clip", [w.add("Add", [x, 3]), 0, 6]), 1 / 6], seed)),
  hardSigmoid: same((w, x) => w.add("Div", [w.add("Clip", [w.add("Add", [x, 3]), 0, 6]), 6])),
  gatedBySixth: same((w, x) => w.add("Mul", [x, w.add("HardSigmoid", [x], { alpha: float(1 / 6), beta: float(0.5) })])),
  sigmoid: same((w, x) => w.add("Div", [1, w.add("Add", [1, w.add("Exp", [w.add("Neg", [x])])])])),
  swish: same((w, x) => w.add("Div", [x, w.add("Add", [w.add("Exp", [w.add("Neg", [x])]), 1])])),
  gelu: same((w, x, _shape, seed) =>
    product(w, [x, 0.5, w.add("Add", [w.add("Erf", [w.add("Div", [x, Math.SQRT2])]), 1])], seed),
  ),
  geluInside: same((w, x) => {
    const half = w.add("Add", [w.add("Mul", [w.add("Erf", [w.add("Mul", [x, Math.SQRT1_2])]), 0.5]), 0.5]);
    return w.add("Mul", [half, x]);
  }),
  geluTanh: same((w, x, _shape, seed) => {
    const cube = seed % 2 === 0 ? w.add("Pow", [x, 3]) : product(w, [x, x, x], seed);
    const inner = w.add("Mul", [w.add("Add", [x, w.add("Mul", [cube, 0.044715])]), Math.sqrt(2 / Math.PI)]);
    return product(w, [0.5, w.add("Add", [1, w.add("Tanh", [inner])]), x], seed);
  }),
  nearlyGelu: same((w, x) => product(w, [x, 0.5, w.add("Add", [w.add("Erf", [w.add("Mul", [x, 0.7])]), 1])], 0)),
  layerNorm: same((w, x, shape, seed) => {
    const centred = w.add("Sub", [x, mean(w, x)]);
    const squared = seed % 2 === 0 ? w.add("Pow", [centred, 2]) : w.add("Mul", [centred, centred]);
    const root = w.add("Sqrt", [w.add("Add", [mean(w, squared), 1e-3])]);
    const width = shape.slice(-1);
    return w.add("Add", [
      w.add("Mul", [w.add("Div", [centred, root]), weights(seed, width)]),
      weights(seed + 1, width),
    ]);
  }),
  layerNormAsTensorFlow: same((w, x, shape, seed) => {
    const average = mean(w, x);
    const centred = w.add("Sub", [x, average]);
    const inverse = w.add("Reciprocal", [
      w.add("Sqrt", [w.add("Add", [mean(w, w.add("Mul", [centred, centred])), 1e-3])]),
    ]);
    const width = shape.slice(-1);
    const scale = w.add("Mul", [inverse, weights(seed, width)]);
    return w.add("Add", [
      w.add("Mul", [x, scale]),
      w.add("Sub", [weights(seed + 1, width), w.add("Mul", [average, scale])]),
    ]);
  }),
  convolved: (w, x, shape, seed) => {
    if (shape.length !== 3) return [x, shape];
    const padded =
      seed % 3 === 0 ? x : w.add("Pad", [x, intTensor([0, 0, 1, 0, 0, 0, seed % 2, 1])], { mode: text("constant") });
    const bias = seed % 2 === 0 ? [weights(seed, [4])] : [];
    const y = w.add("Conv", [padded, weights(seed + 1, [4, shape[0]!, 1, 1]), ...bias], { kernel_shape: ints([1, 1]) });
    const [more, wide] = seed % 3 === 0 ? [0, 0] : [1 + (seed % 2), 1];
    return [seed % 5 === 0 ? y : batchNorm(w, y, 4, seed), [4, shape[1]! + more, shape[2]! + wide]];
  },
  /** A batch norm that a converter has taken apart. */
  convolvedApart: (w, x, shape, seed) => {
    if (shape.length !== 3) return [x, shape];
    const bias = seed % 2 === 0 ? [weights(seed, [3])] : [];
    const y = w.add("Conv", [x, weights(seed + 1, [3, shape[0]!, 1, 1]), ...bias], { kernel_shape: ints([1, 1]) });
    const scaled = w.add("Mul", [weights(seed + 2, [3, 1, 1]), y]);
    return [w.add("Add", [scaled, weights(seed + 3, [1, 3, 1, 1])]), [3, ...shape.slice(1)]];
  },
  deconvolved: (w, x, shape, seed) => {
    if (shape.length !== 3 || shape[0]! % 2 !== 0) return [x, shape];
    const kernel = weights(seed, [shape[0]!, 3, 1, 1]);
    return [
      batchNorm(w, w.add("ConvTranspose", [x, kernel], { kernel_shape: ints([1, 1]), group: int(2) }), 6, seed),
      [6, ...shape.slice(1)],
    ];
  },
  pooled: (w, x, shape, seed) => {
    if (shape.length !== 3 || shape[1]! < 3 || shape[2]! < 3) return [x, shape];
    const padded = w.add("Pad", [x, intTensor([0, 0, 1, 1, 0, 0, 1, 1])], { mode: text("constant") });
    const attrs = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
    const op = seed % 2 === 0 ? "AveragePool" : "MaxPool";
    return [
      w.add(op, [padded, ...[]], attrs),
      [shape[0]!, Math.floor(shape[1]! / 2) + 1, Math.floor(shape[2]! / 2) + 1],
    ];
  },
  joined: (w, x, shape, seed) => {
    const axis = seed % shape.length;
    return [
      w.add("Concat", [x, w.add("Neg", [x])], { axis: int(axis + 1) }),
      shape.map((size, i) => (i === axis ? 2 * size : size)),
    ];
  },
  dense: (w, x, shape, seed) => {
    const width = shape.reduce((a, b) => a * b, 1);
    const flat = shape.length === 1 ? x : w.add("Flatten", [x], { axis: int(1) });
    if (seed % 3 === 0)
      return [w.add("Add", [w.add("MatMul", [flat, weights(seed, [width, 5])]), weights(seed + 1, [5])]), [5]];
    const y = w.add("Gemm", [flat, weights(seed, [5, width]), ...(seed % 2 === 0 ? [weights(seed + 1, [5])] : [])], {
      transB: int(1),
    });
    return [batchNorm(w, y, 5, seed), [5]];
  },
};

/** As tools hand channels-last values to a matrix. */
const turnedDense: Step = (w, x, shape, seed) => {
  const [turned, sizes] = STEPS.transposed!(w, x, shape, seed);
  return STEPS.dense!(w, turned, sizes, seed + 1);
};

/** Graphs of one to eight steps; up to two of their values are outputs. */
export function randomGraphs(): fc.Arbitrary<Graph> {
  const step = fc.tuple(fc.constantFrom(...Object.values(STEPS), turnedDense), fc.nat(30), fc.nat(9));
  const opset = fc.constantFrom(13, 17, 20, 21);
  return fc.tuple(opset, fc.array(step, { minLength: 1, maxLength: 8 })).map(([version, steps]) => {
    const writer = new GraphWriter(version, ["batch", 2, 3, 4]);
    let [edge, shape]: readonly [Edge, readonly number[]] = ["x", [2, 3, 4]];
    const outputs = new Set<Edge>();
    for (const [take, seed, keep] of steps) {
      [edge, shape] = take(writer, edge, shape, seed);
      if (keep === 0 && edge !== "x") outputs.add(edge);
    }
    if (edge === "x") edge = writer.add("Relu", [edge]);
    outputs.add(edge);
    return writer.finish([...outputs].slice(-2));
  });
}
