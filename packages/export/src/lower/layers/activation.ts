/** Activations: as layers of their own and as the string another layer carries. */

import { float, int, text } from "../../attr.ts";
import type { Attrs } from "../../graph.ts";
import { floatTensor, permute, scalar } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asTfjs, edgeAxis } from "../layout.ts";

/** One op for one activation, from the opset on that has it. */
const PLAIN: { readonly [name: string]: { readonly op: string; readonly since?: number; readonly attrs?: Attrs } } = {
  elu: { op: "Elu" },
  gelu: { op: "Gelu", since: 20 },
  gelunew: { op: "Gelu", since: 20, attrs: { approximate: text("tanh") } },
  hardsigmoid: { op: "HardSigmoid", attrs: { alpha: float(0.2), beta: float(0.5) } },
  mish: { op: "Mish", since: 18 },
  relu: { op: "Relu" },
  selu: { op: "Selu" },
  sigmoid: { op: "Sigmoid" },
  softplus: { op: "Softplus" },
  softsign: { op: "Softsign" },
  tanh: { op: "Tanh" },
};

/** tfjs' own formulas, for those without an op. */
const COMPOSED: { readonly [name: string]: (x: string, node: string, builder: GraphBuilder) => string } = {
  gelu(x, node, builder) {
    const halves = builder.add("Mul", `${node}/scaled`, [x, builder.constant(`${node}/root`, scalar(Math.SQRT1_2))]);
    const erf = builder.add("Erf", `${node}/erf`, [halves]);
    const sum = builder.add("Add", `${node}/sum`, [erf, builder.constant(`${node}/one`, scalar(1))]);
    const product = builder.add("Mul", `${node}/product`, [x, sum]);
    return builder.add("Mul", node, [product, builder.constant(`${node}/half`, scalar(0.5))]);
  },
  gelunew(x, node, builder) {
    const cube = builder.add("Pow", `${node}/cube`, [x, builder.constant(`${node}/three`, scalar(3))]);
    const small = builder.add("Mul", `${node}/small`, [cube, builder.constant(`${node}/factor`, scalar(0.044715))]);
    const inner = builder.add("Add", `${node}/inner`, [x, small]);
    const root = builder.constant(`${node}/root`, scalar(Math.sqrt(2 / Math.PI)));
    const tanh = builder.add("Tanh", `${node}/tanh`, [builder.add("Mul", `${node}/scaled`, [inner, root])]);
    const sum = builder.add("Add", `${node}/sum`, [tanh, builder.constant(`${node}/one`, scalar(1))]);
    const product = builder.add("Mul", `${node}/product`, [x, sum]);
    return builder.add("Mul", node, [product, builder.constant(`${node}/half`, scalar(0.5))]);
  },
  mish(x, node, builder) {
    const soft = builder.add("Softplus", `${node}/softplus`, [x]);
    return builder.add("Mul", node, [x, builder.add("Tanh", `${node}/tanh`, [soft])]);
  },
  swish: (x, node, builder) => builder.add("Mul", node, [x, builder.add("Sigmoid", `${node}/sigmoid`, [x])]),
};

const OWN_LAYERS = new Set(["Activation", "ReLU", "Softmax"]);

/** An activation's name as the tables have it: `hard_sigmoid`, `hardSigmoid` and `{class_name}` are one. */
export function activationName(kind: unknown): string {
  const named = typeof kind === "object" && kind !== null ? (kind as { class_name?: unknown }).class_name : kind;
  return String(named ?? "linear")
    .replaceAll("_", "")
    .toLowerCase();
}

/** Adds the activation named by a layer's `activation`; nothing for none or linear. */
export function activate(layer: LayerSource, kind: unknown, input: Lowered, builder: GraphBuilder): Lowered {
  const name = activationName(kind);
  if (name === "linear") return input;
  const node = OWN_LAYERS.has(layer.className) ? layer.name : `${layer.name}/${name}`;
  const plain = PLAIN[name];
  if (plain !== undefined && builder.opset >= (plain.since ?? 0))
    return { ...input, edge: builder.add(plain.op, node, [input.edge], plain.attrs) };
  const composed = COMPOSED[name];
  if (composed !== undefined) return { ...input, edge: composed(input.edge, node, builder) };
  if (name === "relu6") return clip(node, input, 6, builder);
  if (name === "softmax" || name === "logsoftmax") {
    const op = name === "softmax" ? "Softmax" : "LogSoftmax";
    const value = input.flattened === undefined ? input : asTfjs(input, builder);
    return { ...value, edge: builder.add(op, node, [value.edge], { axis: int(edgeAxis(value, -1)) }) };
  }
  const known = [...Object.keys(PLAIN), ...Object.keys(COMPOSED), "relu6", "softmax", "logsoftmax"].join(", ");
  throw unsupported(layer, `its activation is ${name}`, `Use one of ${known}.`);
}

function clip(node: string, input: Lowered, ceiling: number, builder: GraphBuilder): Lowered {
  const low = builder.constant(`${node}/min`, scalar(0));
  const high = builder.constant(`${node}/max`, scalar(ceiling));
  return { ...input, edge: builder.add("Clip", node, [input.edge, low, high]) };
}

/** Activation. */
export const activation: Lowering = (layer, [input], builder) =>
  activate(layer, layer.config.activation, input!, builder);

/** ReLU, with its optional ceiling. */
export const reluLayer: Lowering = (layer, [input], builder) => {
  const ceiling = layer.config.max_value;
  if (ceiling === undefined || ceiling === null) return activate(layer, "relu", input!, builder);
  return clip(layer.name, input!, Number(ceiling), builder);
};

/** LeakyReLU: tfjs' slope is 0.3 by default, ONNX' 0.01. */
export const leakyRelu: Lowering = ({ name, config }, [input], builder) => ({
  ...input!,
  edge: builder.add("LeakyRelu", name, [input!.edge], { alpha: float(Number(config.alpha ?? 0.3)) }),
});

/** ELU, whose slope tfjs fixes at 1. */
export const elu: Lowering = ({ name }, [input], builder) => ({
  ...input!,
  edge: builder.add("Elu", name, [input!.edge]),
});

/** ThresholdedReLU. */
export const thresholdedRelu: Lowering = ({ name, config }, [input], builder) => ({
  ...input!,
  edge: builder.add("ThresholdedRelu", name, [input!.edge], { alpha: float(Number(config.theta ?? 1)) }),
});

/** PReLU; the slopes lie as the input lies. */
export const prelu: Lowering = (layer, [given], builder) => {
  const input = given!.flattened === undefined ? given! : asTfjs(given!, builder);
  const { values, shape } = layer.weight("alpha");
  const rank = shape.length;
  const order = [rank - 1, ...Array.from({ length: rank - 1 }, (_, i) => i)];
  const slopes =
    input.layout === "tfjs"
      ? floatTensor(values, shape)
      : floatTensor(
          permute(values, shape, order),
          order.map((axis) => shape[axis]!),
        );
  const edge = builder.add("PRelu", layer.name, [input.edge, builder.constant(`${layer.name}/alpha`, slopes)]);
  return { ...input, edge };
};

/** Softmax over the last axis. */
export const softmaxLayer: Lowering = (layer, [input], builder) => {
  const axis = Number([layer.config.axis ?? -1].flat()[0]);
  const isOne = [layer.config.axis ?? -1].flat().length === 1;
  if (!isOne || (axis !== -1 && axis !== input!.shape.length))
    throw unsupported(
      layer,
      `its axis is ${String(layer.config.axis)}`,
      "Use the last axis; tfjs runs no other either.",
    );
  if (input!.masked) throw unsupported(layer, "it reads a mask", "Build the model without Masking and maskZero.");
  return activate(layer, "softmax", input!, builder);
};
