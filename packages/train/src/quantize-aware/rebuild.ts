import { input, type LayersModel, type layers, model as makeModel, type SymbolicTensor } from "@tensorflow/tfjs-layers";

/** Makes a layer's output anew, from what its inputs became; of an input layer, from the new input. */
export type Replace = (layer: layers.Layer, inputs: readonly SymbolicTensor[]) => SymbolicTensor;

/** Builds a model of one input and one output again, layer by layer; each is replaced by what `replace` makes of it. */
export function rebuild(model: LayersModel, replace: Replace): LayersModel {
  const [first] = model.inputs as [SymbolicTensor];
  const begin = input({ shape: first.shape.slice(1), name: first.sourceLayer.name });
  const made = new Map<number, SymbolicTensor>();
  // Recursion is as deep as the net, which is some dozens.
  const follow = (tensor: SymbolicTensor): SymbolicTensor => {
    const known = made.get(tensor.id);
    if (known !== undefined) return known;
    const { sourceLayer: layer, nodeIndex } = tensor;
    const inputs = tensor.id === first.id ? [begin] : layer.inboundNodes[nodeIndex]!.inputTensors.map(follow);
    const output = replace(layer, inputs);
    made.set(tensor.id, output);
    return output;
  };
  return makeModel({ inputs: begin, outputs: follow(model.outputs[0]!), name: model.name });
}

/** A layer like another, in some knobs different, with weights of its own. */
export function layerLike(layer: layers.Layer, changes: object = {}): layers.Layer {
  const type = layer.constructor as unknown as { fromConfig(type: unknown, config: object): layers.Layer };
  return type.fromConfig(type, { ...layer.getConfig(), ...changes });
}

/** The layers that read a layer's output. */
export function readersOf(layer: layers.Layer): readonly layers.Layer[] {
  return layer.outboundNodes.map(({ outboundLayer }) => outboundLayer);
}

/** The same layer again, with weights of its own, which hold what the first one's hold. */
export function cloneLayer(layer: layers.Layer, inputs: readonly SymbolicTensor[]): SymbolicTensor {
  const copy = layerLike(layer);
  const output = copy.apply(inputs.length === 1 ? inputs[0]! : [...inputs]) as SymbolicTensor;
  if (layer.weights.length > 0) copy.setWeights(layer.getWeights());
  return output;
}
