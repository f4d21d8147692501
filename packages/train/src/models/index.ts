import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { ModelConfig } from "../config.ts";
import type { ModelInput } from "./blocks.ts";
import { cnn } from "./cnn.ts";
import { dsCnn } from "./ds-cnn.ts";
import { resnet8 } from "./resnet-8.ts";
import { resnet9 } from "./resnet-9.ts";

/** All architectures by name. Each ends in logits: no softmax, so that a temperature can act on them. */
export const MODELS: {
  readonly [Name in ModelConfig["name"]]: (
    config: Extract<ModelConfig, { name: Name }>,
    input: ModelInput,
  ) => LayersModel;
} = { cnn, "ds-cnn": dsCnn, "resnet-8": resnet8, "resnet-9": resnet9 };

/** Builds the model of a configuration. */
export function buildModel(config: ModelConfig, input: ModelInput): LayersModel {
  switch (config.name) {
    case "cnn":
      return MODELS.cnn(config, input);
    case "ds-cnn":
      return MODELS["ds-cnn"](config, input);
    case "resnet-8":
      return MODELS["resnet-8"](config, input);
    case "resnet-9":
      return MODELS["resnet-9"](config, input);
  }
}
