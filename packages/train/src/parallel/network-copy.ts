/**
 * A network as a message: its topology and weights, from which another thread makes the same one again. Layers of our own that
 * write themselves to files as stock ones keep here what the stock ones don't have.
 */
import { serialization } from "@tensorflow/tfjs-core";
import type { LayersModel, layers } from "@tensorflow/tfjs-layers";
import { artifactsOf, loadModel } from "../checkpoint.ts";
import type { TappedModel } from "../distill/taps.ts";
import { freezeLayers, frozenLayers } from "../models/freeze.ts";
import { FusedBatchNorm } from "../models/fused-batch-norm.ts";
import { SeededDropout } from "../models/seeded-dropout.ts";
import type { ModelArtifacts } from "../read-tfjs-model.ts";

/** What {@link readNetwork} reads. */
export interface NetworkMessage {
  readonly artifacts: ModelArtifacts;
  readonly names: readonly string[];
  readonly frozen: readonly string[];
}

type LayerJson = { class_name: string; config: Record<string, unknown> };
type Config = Record<string, unknown>;

class CopiedDropout extends SeededDropout {
  static override readonly className = "SeededDropout" as "Dropout";
  static override fromConfig<Made>(_type: unknown, { name, rate, seed }: Config): Made {
    return new SeededDropout({ name: name as string, rate: rate as number, seed: seed as number }) as Made;
  }
}

class CopiedBatchNorm extends FusedBatchNorm {
  static readonly className = "FusedBatchNorm";
  static fromConfig<Made>(_type: unknown, config: Config): Made {
    return new FusedBatchNorm(config) as Made;
  }
}

/** Our layers by the name that they have in a message, and what of theirs no file has. */
const OURS = {
  SeededDropout: { type: SeededDropout, copied: CopiedDropout, more: ({ seed }: SeededDropout) => ({ seed }) },
  FusedBatchNorm: { type: FusedBatchNorm, copied: CopiedBatchNorm, more: () => ({}) },
} as const;

/** The kind of a layer that no message can describe; `undefined` where all of a model can be made again. */
export function uncopiable(model: LayersModel): string | undefined {
  const known = serialization.SerializationMap.getMap().classNameMap;
  return model.layers.map((layer) => layer.getClassName()).find((name) => !(name in known));
}

/** Describes a network as it is now. */
export async function writeNetwork({ model, names }: TappedModel): Promise<NetworkMessage> {
  const artifacts = await artifactsOf(model);
  const modelTopology = structuredClone(artifacts.modelTopology) as { config: { layers: LayerJson[] } };
  for (const json of modelTopology.config.layers) {
    const layer = model.layers.find(({ name }) => name === json.config.name);
    for (const [name, { type, more }] of Object.entries(OURS)) {
      if (!(layer instanceof type)) continue;
      json.class_name = name;
      Object.assign(json.config, (more as (layer: layers.Layer) => object)(layer));
    }
  }
  return { artifacts: { ...artifacts, modelTopology }, names, frozen: frozenLayers(model) };
}

/**
 * Makes the network that a message describes.
 *
 * @throws Error of tfjs, which names the layer that this thread does not have.
 */
export async function readNetwork({ artifacts, names, frozen }: NetworkMessage): Promise<TappedModel> {
  for (const { copied } of Object.values(OURS)) serialization.registerClass(copied as never);
  const model: LayersModel = await loadModel(artifacts);
  if (frozen.length > 0) freezeLayers(model, frozen);
  return { model, names };
}
