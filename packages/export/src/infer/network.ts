/** Rules of windows, products, norms, recurrence and quantisation. */
import type { Dim, Node } from "../graph.ts";
import { dtypeOf } from "./elementwise.ts";
import {
  axisOf,
  broadcast,
  int,
  ints,
  mismatch,
  type Rule,
  type Rules,
  rulesFor,
  type Typed,
  text,
  unknownSize,
} from "./rule.ts";

const same: Rule = (_node, [x]) => x!;

const perChannel: Rule = (_node, [x]) => ({
  dtype: x!.dtype,
  shape: [x!.shape[0]!, x!.shape[1]!, ...x!.shape.slice(2).map(() => 1)],
});

/** What the rule of the float op says, of integers. */
const sums = (typed: ReturnType<Rule>): Typed => ({ ...(typed as Typed), dtype: "int32" });

const pool: Rule = (node, [x]) => {
  const shape = windows(node, x!.shape, x!.shape[1]!, ints(node, "kernel_shape")!);
  return [
    { dtype: x!.dtype, shape },
    { dtype: "int64", shape },
  ];
};

/** Y [steps, directions, batch, hidden] and the last state(s); with layout 1 the batch comes first. */
const recurrent: Rule = (node, [x, , recurrence]) => {
  const hidden = int(node, "hidden_size", Number(recurrence!.shape[2]));
  const directions = text(node, "direction", "forward") === "bidirectional" ? 2 : 1;
  const { dtype } = x!;
  const [a, b] = x!.shape as [Dim, Dim];
  const batchFirst = int(node, "layout", 0) === 1;
  const all = batchFirst ? [a, b, directions, hidden] : [a, directions, b, hidden];
  const last = { dtype, shape: batchFirst ? [a, directions, hidden] : [directions, b, hidden] };
  return [{ dtype, shape: all }, last, last];
};

/** Rules of network layers. */
export const NETWORK_RULES: Rules = {
  ...rulesFor(
    "BatchNormalization Hardmax InstanceNormalization LogSoftmax LpNormalization LRN MeanVarianceNormalization Softmax",
    same,
  ),
  ...rulesFor("AveragePool MaxPool", pool),
  ...rulesFor("GlobalAveragePool GlobalMaxPool", perChannel),
  ...rulesFor("GRU LSTM RNN", recurrent),
  Conv: (node, [x, w]) => {
    const group = int(node, "group", 1);
    const [filters, channels, ...kernel] = w!.shape;
    if (typeof x!.shape[1] === "number" && x!.shape[1] !== (channels as number) * group) {
      throw mismatch(node, `an input of ${x!.shape[1]} channels`, `${(channels as number) * group} for its weights`);
    }
    return { dtype: x!.dtype, shape: windows(node, x!.shape, filters!, kernel as number[]) };
  },
  ConvInteger: (node, inputs, contents) => sums(NETWORK_RULES.Conv!(node, inputs, contents)),
  ConvTranspose: (node, [x, w]) => {
    const [, filters, ...kernel] = w!.shape as readonly number[];
    const rank = kernel.length;
    const given = ints(node, "output_shape");
    const strides = ints(node, "strides") ?? new Array<number>(rank).fill(1);
    const dilations = ints(node, "dilations") ?? new Array<number>(rank).fill(1);
    const extra = ints(node, "output_padding") ?? new Array<number>(rank).fill(0);
    const pads = ints(node, "pads") ?? new Array<number>(2 * rank).fill(0);
    const isSame = text(node, "auto_pad", "NOTSET").startsWith("SAME");
    const sizes = kernel.map((taps, i): Dim => {
      const size = x!.shape[i + 2]!;
      if (given !== undefined) return given.at(i - rank)!;
      if (typeof size === "string") return unknownSize(node, i + 2);
      if (isSame) return size * strides[i]!;
      return strides[i]! * (size - 1) + extra[i]! + (taps - 1) * dilations[i]! + 1 - pads[i]! - pads[i + rank]!;
    });
    return { dtype: x!.dtype, shape: [x!.shape[0]!, filters! * int(node, "group", 1), ...sizes] };
  },
  DequantizeLinear: (_node, [x, scale]) => ({ dtype: scale!.dtype, shape: x!.shape }),
  DynamicQuantizeLinear: (_node, [x]) => [
    { dtype: "uint8", shape: x!.shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
  Einsum: (node, inputs) => {
    const [left, right] = text(node, "equation", "").replaceAll(" ", "").split("->") as [string, string | undefined];
    const sizes = new Map<string, Dim>();
    for (const [i, term] of left.split(",").entries()) {
      if (term.includes(".")) throw mismatch(node, `the equation ${left}`, "one without an ellipsis");
      for (const [axis, letter] of [...term].entries()) sizes.set(letter, inputs[i]!.shape[axis]!);
    }
    const once = [...new Set(left.replaceAll(",", ""))].filter(
      (letter) => left.indexOf(letter) === left.lastIndexOf(letter),
    );
    const kept = right === undefined ? once.sort() : [...right];
    return { dtype: inputs[0]!.dtype, shape: kept.map((letter) => sizes.get(letter)!) };
  },
  Gemm: (node, [a, b]) => {
    const [rows, inner] = int(node, "transA", 0) ? [a!.shape[1]!, a!.shape[0]!] : [a!.shape[0]!, a!.shape[1]!];
    const [depth, columns] = int(node, "transB", 0) ? [b!.shape[1]!, b!.shape[0]!] : [b!.shape[0]!, b!.shape[1]!];
    if (a!.shape.length !== 2 || differ(inner!, depth!))
      throw mismatch(node, `rows of ${inner}`, `${depth} for its weights`);
    return { dtype: a!.dtype, shape: [rows!, columns!] };
  },
  LayerNormalization: (node, [x]) => {
    const axis = axisOf(node, int(node, "axis", -1), x!.shape.length);
    const statistics = { dtype: "float32" as const, shape: x!.shape.map((size, i) => (i < axis ? size : 1)) };
    return [x!, statistics, statistics];
  },
  MatMul: (node, [a, b]) => {
    const [left, right] = [a!.shape, b!.shape];
    const [inner, depth] = [left.at(-1)!, right.length === 1 ? right[0]! : right.at(-2)!];
    if (differ(inner, depth)) throw mismatch(node, `rows of ${inner}`, `${depth}`);
    const batch = broadcast(node, left.slice(0, -2), right.slice(0, -2));
    const rows = left.length > 1 ? [left.at(-2)!] : [];
    const columns = right.length > 1 ? [right.at(-1)!] : [];
    return { dtype: a!.dtype, shape: [...batch, ...rows, ...columns] };
  },
  MatMulInteger: (node, inputs, contents) => sums(NETWORK_RULES.MatMul!(node, inputs, contents)),
  QuantizeLinear: (node, [x, , zero]) => {
    const asked = int(node, "output_dtype", 0);
    return { dtype: zero?.dtype ?? (asked === 0 ? "uint8" : dtypeOf(node, asked)), shape: x!.shape };
  },
};

function differ(a: Dim, b: Dim): boolean {
  return typeof a === "number" && typeof b === "number" && a !== b;
}

function windows(node: Node, shape: readonly Dim[], channels: Dim, kernel: readonly number[]): readonly Dim[] {
  const rank = kernel.length;
  if (shape.length !== rank + 2) throw mismatch(node, `an input of rank ${shape.length}`, `${rank + 2} for its kernel`);
  const strides = ints(node, "strides") ?? new Array<number>(rank).fill(1);
  const dilations = ints(node, "dilations") ?? new Array<number>(rank).fill(1);
  const pads = ints(node, "pads") ?? new Array<number>(2 * rank).fill(0);
  const auto = text(node, "auto_pad", "NOTSET");
  const roundUp = int(node, "ceil_mode", 0) === 1;
  const sizes = kernel.map((taps, i): Dim => {
    const size = shape[i + 2]!;
    const [stride, reach] = [strides[i]!, dilations[i]! * (taps - 1) + 1];
    const isSame = auto.startsWith("SAME");
    const padding = isSame || auto === "VALID" ? 0 : pads[i]! + pads[i + rank]!;
    if (typeof size === "string")
      return stride === 1 && (isSame || padding === reach - 1) ? size : unknownSize(node, i + 2);
    if (isSame) return Math.ceil(size / stride);
    const steps = (size + padding - reach) / stride;
    if (!roundUp) return Math.floor(steps) + 1;
    // The last window may not start in the padding behind the image.
    const out = Math.ceil(steps) + 1;
    return (out - 1) * stride >= size + (auto === "NOTSET" ? pads[i]! : 0) ? out - 1 : out;
  });
  return [shape[0]!, channels, ...sizes];
}
