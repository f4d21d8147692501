/** Activations: as layers of their own and as the string another layer carries. */
import { floatTensor } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";

const PLAIN: { readonly [name: string]: string } = { relu: "Relu", sigmoid: "Sigmoid", tanh: "Tanh" };

/** Adds the activation named by a layer's `activation`; nothing for none or linear. */
export function activate(layer: LayerSource, kind: unknown, input: Lowered, builder: GraphBuilder): Lowered {
  if (kind === undefined || kind === null || kind === "linear") return input;
  const name = String(kind);
  const own = layer.className === "Activation" || layer.className === "ReLU" || layer.className === "Softmax";
  const node = own ? layer.name : `${layer.name}/${name}`;
  const shape = edgeShape(input);
  const op = PLAIN[name];
  if (op !== undefined) return { ...input, edge: builder.add(op, node, [input.edge], {}, shape) };
  if (name === "relu6") {
    const low = builder.constant(`${node}/min`, floatTensor(Float32Array.of(0), []));
    const high = builder.constant(`${node}/max`, floatTensor(Float32Array.of(6), []));
    return { ...input, edge: builder.add("Clip", node, [input.edge, low, high], {}, shape) };
  }
  if (name === "softmax") {
    // The last axis of tfjs is the channel, which is axis 1 here.
    return { ...input, edge: builder.add("Softmax", node, [input.edge], { axis: { kind: "int", value: 1 } }, shape) };
  }
  throw unsupported(layer, `its activation is ${name}`, "Use relu, relu6, sigmoid, tanh or softmax.");
}

/** The shape of a lowered value's edge, without the batch: channels first. */
export function edgeShape({ shape }: Lowered): readonly number[] {
  return shape.length === 3 ? [shape[2]!, shape[0]!, shape[1]!] : shape;
}

/** Activation. */
export const activation: Lowering = (layer, [input], builder) =>
  activate(layer, layer.config.activation, input!, builder);

/** ReLU, with its optional ceiling of 6. */
export const reluLayer: Lowering = (layer, [input], builder) => {
  const ceiling = layer.config.max_value;
  if (ceiling !== undefined && ceiling !== null && ceiling !== 6) {
    throw unsupported(layer, `its maxValue is ${String(ceiling)}`, "Use 6, or none.");
  }
  return activate(layer, ceiling === 6 ? "relu6" : "relu", input!, builder);
};

/** Softmax over the last axis. */
export const softmaxLayer: Lowering = (layer, [input], builder) => activate(layer, "softmax", input!, builder);
