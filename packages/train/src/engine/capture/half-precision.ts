/**
 * Convolutions of a recorded step, but for depthwise ones, with operands in bfloat16: half the bytes and, on processors that multiply them natively
 * (AVX512-BF16, AMX), up to twice the products a cycle. Sums are still kept in float32, and so is everything else: weights, their
 * gradients and the optimiser's state, normalisation, losses.
 *
 * Mixed precision as in Micikevicius et al. 2018 (arXiv 1710.03740); without its loss scaling, since bfloat16 has float32's
 * exponent (Kalamkar et al. 2019, arXiv 1905.12322). An operand that several convolutions take is rounded once.
 */
import { DTYPES } from "./binding.ts";
import { typeOf } from "./graph-builder.ts";
import type { GraphNode } from "./graph-def.ts";
import type { Obstacle } from "./step-recorder.ts";

/** What convolutions multiply in. */
export type Precision = "float32" | "bfloat16";

/** Why an engine without graphs does not compute in a precision; `undefined` where it does. */
export function withoutGraphs(precision: Precision = "float32"): Obstacle | undefined {
  return precision === "float32" ? undefined : { reason: `${precision} needs graphs, this engine computes in float32` };
}

/** Number of bfloat16 among TensorFlow's types (tensorflow/core/framework/types.proto). */
const BFLOAT16 = 14;

/** Which inputs of an op are operands; the others are shapes. */
const OPERANDS: Readonly<Record<string, readonly number[]>> = {
  Conv2D: [0, 1],
  Conv2DBackpropInput: [1, 2],
  Conv2DBackpropFilter: [0, 2],
};

/** Puts casts around every convolution; a step without any is returned as it is. */
export function roundConvolutions(nodes: readonly GraphNode[]): readonly GraphNode[] {
  if (!nodes.some((node) => node.op in OPERANDS && isFloat32(node))) return nodes;
  const rounded = new Map<string, string>();
  return nodes.flatMap((node) => {
    const operands = OPERANDS[node.op];
    if (operands === undefined || !isFloat32(node)) return [node];
    const casts: GraphNode[] = [];
    const inputs = node.inputs.map((input, place) => {
      if (!operands.includes(place)) return input;
      const known = rounded.get(input);
      if (known !== undefined) return known;
      const cast = castOf(`${node.name}_operand${place}`, input, DTYPES.float32, BFLOAT16);
      casts.push(cast);
      rounded.set(input, cast.name);
      return cast.name;
    });
    const name = `${node.name}_rounded`;
    const convolution = { ...node, name, inputs, attrs: { ...node.attrs, T: typeOf(BFLOAT16) } };
    return [...casts, convolution, castOf(node.name, name, BFLOAT16, DTYPES.float32)];
  });
}

function isFloat32({ attrs: { T } }: GraphNode): boolean {
  return T?.kind === "type" && T.value === DTYPES.float32;
}

function castOf(name: string, input: string, from: number, to: number): GraphNode {
  return { name, op: "Cast", inputs: [input], attrs: { SrcT: typeOf(from), DstT: typeOf(to) } };
}
