/**
 * Folds BatchNormalization into the Conv, ConvTranspose or Gemm before it:
 *
 *   w' = w g / sqrt(v + eps)        b' = (b - m) g / sqrt(v + eps) + beta
 *
 * Fires when the BatchNormalization alone reads what is before it and all weights are constants that nobody else reads. Rule: Jacob et
 * al. 2018 (arXiv 1712.05877), section 3.2.
 */
import type { Edge, Node, Pass, Tensor } from "../graph.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const foldBatchNorm: Pass = rewriting((norm, around) => {
  if (norm.op !== "BatchNormalization" || norm.domain !== "" || around.readers(norm.inputs[0]!) > 1) return undefined;
  const before = around.writer(norm.inputs[0]);
  if (before === undefined || before.domain !== "") return undefined;
  const training = norm.attrs.training_mode;
  if (training?.kind === "int" && training.value !== 0) return undefined;
  const weights = before.inputs.slice(1);
  if (weights.some((edge) => around.constant(edge)?.dtype !== "float32" || around.readers(edge) > 1)) return undefined;
  if (norm.inputs.slice(1).some((edge) => around.constant(edge) === undefined)) return undefined;
  const kernel = around.constant(weights[0]);
  const channel = kernel && channelOf(before, kernel.shape);
  if (kernel === undefined || channel === undefined) return undefined;
  // A Gemm's bias may be one number for all of them.
  const width = around.constant(norm.inputs[1])!.shape[0]!;
  if (weights[1] !== undefined && around.constant(weights[1])!.bytes.byteLength !== 4 * width) return undefined;
  const folded = fold(around, before, norm, channel);
  const bias = weights[1] ?? around.fresh(`${before.name}/bias`);
  return {
    // The fused node takes the last output's name, so that nothing behind it changes; and its own, which the layer had.
    nodes: [{ ...before, inputs: [before.inputs[0]!, weights[0]!, bias], outputs: norm.outputs.slice(0, 1) }],
    constants: [
      [weights[0]!, folded.kernel],
      [bias, folded.bias],
    ],
  };
});

/** The channel that an element of the weights makes. */
function channelOf({ op, attrs }: Node, shape: readonly number[]): ((i: number) => number) | undefined {
  const number = (name: string, otherwise: number): number => {
    const attr = attrs[name];
    return attr?.kind === "int" || attr?.kind === "float" ? attr.value : otherwise;
  };
  const size = shape.slice(2).reduce((product, length) => product * length, 1);
  const [first, second] = shape as [number, number];
  if (op === "Conv") return (i) => Math.floor(i / (second * size));
  if (op === "ConvTranspose") {
    const inGroup = first / number("group", 1);
    return (i) => Math.floor(Math.floor(i / (second * size)) / inGroup) * second + (Math.floor(i / size) % second);
  }
  if (op !== "Gemm" || number("alpha", 1) !== 1 || number("beta", 1) !== 1) return undefined;
  return number("transB", 0) === 1 ? (i) => Math.floor(i / second) : (i) => i % second;
}

function fold(
  around: Surroundings,
  before: Node,
  norm: Node,
  channel: (i: number) => number,
): { kernel: Tensor; bias: Tensor } {
  const read = (edge: Edge): Float32Array => floatsOf(around.constant(edge)!);
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map(read) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const epsilon = norm.attrs.epsilon?.kind === "float" ? norm.attrs.epsilon.value : 1e-5;
  const { shape } = around.constant(before.inputs[1])!;
  const factors = Float64Array.from(gamma, (scale, c) => scale / Math.sqrt(variance[c]! + epsilon));
  const kernel = read(before.inputs[1]!).map((weight, i) => weight * factors[channel(i)]!);
  const old = before.inputs[2] === undefined ? undefined : read(before.inputs[2]);
  const bias = Float32Array.from(factors, (factor, c) => ((old?.[c] ?? 0) - mean[c]!) * factor + beta[c]!);
  return { kernel: floatTensor(kernel, shape), bias: floatTensor(bias, [bias.length]) };
}
