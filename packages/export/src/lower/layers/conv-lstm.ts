/**
 * ConvLSTM2D, which ONNX has no op for, step by step (Shi et al. 2015, arXiv 1506.04214, without peepholes as tfjs has it):
 *
 *   i, f, g, o = split(W * x + b + R * h)        c' = r(f) c + r(i) a(g)        h' = r(o) a(c')
 *
 * W runs over all steps at once, with the layer's window; R is a `same` convolution without strides. tfjs' gates: i f c o.
 */
import { int, ints } from "../../attr.ts";
import type { Tensor } from "../../graph.ts";
import { floatTensor, intTensor, permute } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asChannelsFirst, asTfjs, isChannelsFirst, reshapeTo } from "../layout.ts";
import { activate } from "./activation.ts";
import { windowOf } from "./window.ts";

/** Each step becomes a dozen nodes. */
const MOST_STEPS = 1000;
const GATES = 4;

/** See the file's header; `[steps, h, w, c]` to `[h, w, filters]` or `[steps, h, w, filters]`, and the states where asked for. */
export const convLstm2d: Lowering = (layer, inputs, builder) => {
  const { name, config } = layer;
  const input = asTfjs(inputs[0]!, builder);
  const isFirst = isChannelsFirst(layer);
  const [steps, ...image] = input.shape as [number, number, number, number];
  if (input.masked) throw unsupported(layer, "it reads a mask", "Build the model without Masking and maskZero.");
  if (config.stateful === true)
    throw unsupported(
      layer,
      "it keeps its state between calls",
      "Set stateful to false, and return the state instead.",
    );
  if (steps > MOST_STEPS)
    throw unsupported(
      layer,
      `it has ${steps} steps, and each becomes nodes of its own`,
      `Give it at most ${MOST_STEPS}.`,
    );
  const filters = Number(config.filters);
  const [channels, ...sizes] = (isFirst ? image : [image[2]!, image[0]!, image[1]!]) as [number, number, number];
  const window = windowOf(layer, layer.weight("kernel").shape.slice(0, 2), sizes);
  const gates = stepGates(layer, input.edge, [steps, channels, ...sizes], window, builder);
  const recurrence = recurrenceOf(layer, builder);
  const lowered = (edge: string): Lowered =>
    isFirst
      ? { edge, shape: [filters, ...window.sizes], layout: "tfjs" }
      : { edge, shape: [...window.sizes, filters], layout: "channelsFirst" };

  let [h, c] = inputs
    .slice(1)
    .map((state) => (isFirst ? asTfjs(state, builder) : asChannelsFirst(state, builder)).edge);
  const outputs: string[] = [];
  for (let count = 0; count < steps; count++) {
    const step = config.go_backwards === true ? steps - 1 - count : count;
    const isLast = count === steps - 1;
    const at = `${name}/step${step}`;
    const given = builder.add("Gather", `${at}/given`, [gates, builder.constant(`${at}/index`, index(step))], {
      axis: int(1),
    });
    const sum = h === undefined ? given : builder.add("Add", `${at}/gates`, [given, recurrence(`${at}/recurrent`, h)]);
    const parts = ["i", "f", "g", "o"].map((gate) => `${at}/${gate}`) as [string, string, string, string];
    const equal = builder.constant(`${at}/equal`, intTensor(new Array<number>(GATES).fill(filters)));
    builder.addMany("Split", `${at}/split`, [sum, equal], { axis: int(1) }, parts);
    const act = (part: string, kind: unknown, edge: string): string =>
      activate({ ...layer, name: `${at}/${part}` }, kind, lowered(edge), builder).edge;
    const [i, f, g, o] = parts.map((edge, gate) =>
      act(`${"ifgo"[gate]}_gate`, gate === 2 ? config.activation : config.recurrent_activation, edge),
    ) as [string, string, string, string];
    const fresh = builder.add("Mul", `${at}/fresh`, [i, g]);
    c = c === undefined ? fresh : builder.add("Add", `${at}/c`, [builder.add("Mul", `${at}/kept`, [f, c]), fresh]);
    const isNamed = isLast && config.return_sequences !== true;
    h = builder.add("Mul", isNamed ? name : `${at}/h`, [o, act("squashed", config.activation, c)]);
    outputs.push(h);
  }
  const result = config.return_sequences === true ? sequence(layer, outputs, lowered, builder) : lowered(h!);
  return config.return_state === true ? [result, lowered(h!), lowered(c!)] : result;
};

/** W * x + b of all steps: `[batch, steps, gates, h, w]`. */
function stepGates(
  layer: LayerSource,
  edge: string,
  [steps, channels, ...sizes]: readonly number[],
  window: ReturnType<typeof windowOf>,
  builder: GraphBuilder,
): string {
  const { name, config } = layer;
  const first = isChannelsFirst(layer)
    ? edge
    : builder.add("Transpose", `${name}/first`, [edge], { perm: ints([0, 1, 4, 2, 3]) });
  const images = reshapeTo(`${name}/images`, first, [channels!, ...sizes], builder);
  const bias =
    config.use_bias === false
      ? []
      : [builder.constant(`${name}/bias`, floatTensor(layer.weight("bias").values, layer.weight("bias").shape))];
  const kernel = builder.constant(`${name}/kernel`, kernelOf(layer, "kernel"));
  const conv = builder.add("Conv", `${name}/conv`, [images, kernel, ...bias], window.attrs);
  return reshapeTo(`${name}/gates`, conv, [steps!, layer.weight("kernel").shape[3]!, ...window.sizes], builder);
}

/** R * h. */
function recurrenceOf(layer: LayerSource, builder: GraphBuilder): (node: string, h: string) => string {
  const kernel = kernelOf(layer, "recurrent_kernel");
  const name = builder.constant(`${layer.name}/recurrent_kernel`, kernel);
  const extra = kernel.shape.slice(2).map((size) => size - 1);
  const pads = [...extra.map((size) => Math.floor(size / 2)), ...extra.map((size) => Math.ceil(size / 2))];
  const attrs = { kernel_shape: ints(kernel.shape.slice(2)), pads: ints(pads) };
  return (node, h) => builder.add("Conv", node, [h, name], attrs);
}

/** tfjs kernel [kh, kw, in, out] -> [out, in, kh, kw]. */
function kernelOf(layer: LayerSource, part: string): Tensor {
  const { values, shape } = layer.weight(part);
  const order = [3, 2, 0, 1];
  return floatTensor(
    permute(values, shape, order),
    order.map((axis) => shape[axis]!),
  );
}

/** All steps' outputs, in the order in which they came. */
function sequence(
  layer: LayerSource,
  outputs: readonly string[],
  lowered: (edge: string) => Lowered,
  builder: GraphBuilder,
): Lowered {
  const { name } = layer;
  const axis = builder.constant(`${name}/axis`, intTensor([1]));
  const steps = outputs.map((edge, i) => builder.add("Unsqueeze", `${name}/output${i}`, [edge, axis]));
  const isFirst = isChannelsFirst(layer);
  const joined = builder.add("Concat", isFirst ? name : `${name}/outputs`, steps, { axis: int(1) });
  const edge = isFirst ? joined : builder.add("Transpose", name, [joined], { perm: ints([0, 1, 3, 4, 2]) });
  return { edge, shape: [outputs.length, ...lowered(edge).shape], layout: "tfjs" };
}

function index(step: number): Tensor {
  return { ...intTensor([step]), shape: [] };
}
