/**
 * Layers that stay as they are: their weights get no gradient, and they run as in inference, so that neither the averages of a
 * batch normalisation move nor dropout acts (as Keras' frozen BatchNormalization since 2.0).
 */
import { DistillateError } from "@distillate/bundle";
import type { LayersModel } from "@tensorflow/tfjs-layers";

/**
 * Freezes layers by name and returns what undoes it.
 *
 * @throws DistillateError `layer-unknown`, or `nothing-to-train` when no weight would be left to train.
 */
export function freezeLayers(model: LayersModel, names: readonly string[]): () => void {
  const unknown = names.filter((name) => !model.layers.some((layer) => layer.name === name));
  const known = `Its layers are ${model.layers.map(({ name }) => name).join(", ")}.`;
  if (unknown.length > 0) {
    throw new DistillateError({
      code: "layer-unknown",
      message: `there is no layer ${unknown.join(", ")} to freeze`,
      hint: known,
    });
  }
  const undo = model.layers
    .filter(({ name }) => names.includes(name))
    .map((layer) => {
      const { call, trainable } = layer;
      layer.trainable = false;
      layer.call = (inputs, kwargs) => call.call(layer, inputs, { ...kwargs, training: false });
      return () => {
        layer.trainable = trainable;
        layer.call = call;
      };
    });
  const thaw = (): void => {
    for (const each of undo) each();
  };
  if (model.trainableWeights.length > 0) return thaw;
  thaw();
  throw new DistillateError({
    code: "nothing-to-train",
    message: `with ${names.join(", ")} frozen the network has no weight left to train`,
    hint: `Freeze fewer layers. ${known}`,
  });
}
