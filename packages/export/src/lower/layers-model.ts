/** A tfjs LayersModel (Sequential or functional) as a graph: its layers in order, each by its lowering. */
import { DistillateError } from "@distillate/bundle";
import type { Graph, Value } from "../graph.ts";
import { type LayerSource, type Lowered, startGraph, unsupported } from "./context.ts";
import { edgeShape } from "./layers/activation.ts";
import { LOWERINGS } from "./layers/index.ts";

/** The stock artifacts of a tfjs LayersModel. */
export interface LayersModelArtifacts {
  readonly modelTopology: object;
  readonly weightSpecs: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[];
  readonly weightData: Uint8Array;
}

interface LayerJson {
  readonly class_name: string;
  readonly config: { readonly [key: string]: unknown; readonly name?: string };
  readonly inbound_nodes?: readonly (readonly (readonly [string, number, number, ...unknown[]])[])[];
}

type WeightTable = ReadonlyMap<string, { readonly values: Float32Array; readonly shape: readonly number[] }>;

/**
 * Lowers a model; the graph's input is `input` [batch, c, h, w], its output `logits`.
 *
 * @throws DistillateError `layer-unsupported` naming layer and reason, or `model-invalid`.
 */
export function lowerLayersModel(
  artifacts: LayersModelArtifacts,
  options: { readonly name: string; readonly opset: number; readonly batch: string | number },
): Graph {
  const { layers, output } = layersOf(artifacts.modelTopology);
  const weights = readWeights(artifacts);
  const builder = startGraph(options.batch);
  const done = new Map<string, Lowered>();
  let input: Value | undefined;
  for (const { source, inputs } of layers.map((layer) => ({ ...layer, source: sourceOf(layer.json, weights) }))) {
    const shape = (source.config.batch_input_shape as readonly (number | null)[] | undefined)?.slice(1);
    if (inputs.length === 0) {
      if (input !== undefined)
        throw unsupported(source, "the model has several inputs", "Export a model with one input.");
      if (shape?.length !== 3 || shape.some((size) => typeof size !== "number")) {
        throw unsupported(
          source,
          `its input shape is [${shape?.join(", ") ?? "unknown"}]`,
          "Give it a fixed shape of height, width and channels.",
        );
      }
      const image: Lowered = { edge: "input", shape: shape as number[] };
      input = { name: "input", dtype: "float32", shape: [options.batch, ...edgeShape(image)] };
      done.set(source.name, source.className === "InputLayer" ? image : lower(source, [image], builder));
      continue;
    }
    const values = inputs.map((name) => {
      const value = done.get(name);
      if (value === undefined)
        throw unsupported(source, `it reads ${name}, which comes later or not at all`, "Check the model's JSON.");
      return value;
    });
    done.set(source.name, lower(source, values, builder));
  }
  const result = done.get(output);
  if (input === undefined || result === undefined) throw invalid(`it has no layer ${output}`);
  const { nodes, constants, values } = builder.finish();
  const value = values.get(result.edge);
  if (value === undefined) throw invalid("its output is its input");
  return { name: options.name, opset: options.opset, inputs: [input], outputs: [value], nodes, constants, values };
}

function lower(source: LayerSource, inputs: readonly Lowered[], builder: ReturnType<typeof startGraph>): Lowered {
  const lowering = LOWERINGS[source.className];
  if (lowering === undefined) {
    throw unsupported(
      source,
      "this kind of layer is not in the table",
      `Build the model of ${Object.keys(LOWERINGS).join(", ")}.`,
    );
  }
  return lowering(source, inputs, builder);
}

/** The layers in a topological order (tfjs writes them so), with the names of those that each reads. */
function layersOf(topology: object): {
  layers: readonly { json: LayerJson; inputs: readonly string[] }[];
  output: string;
} {
  const root = topology as { model_config?: object; class_name?: string; config?: unknown };
  const model = (root.model_config ?? root) as { class_name?: string; config?: unknown };
  if (model.class_name === "Sequential") {
    const config = model.config as readonly LayerJson[] | { readonly layers: readonly LayerJson[] };
    const jsons = Array.isArray(config)
      ? (config as readonly LayerJson[])
      : (config as { layers: readonly LayerJson[] }).layers;
    const layers = jsons.map((json, index) => ({ json, inputs: index === 0 ? [] : [nameOf(jsons[index - 1]!)] }));
    return { layers, output: nameOf(jsons.at(-1)!) };
  }
  const config = model.config as
    | { layers?: readonly LayerJson[]; output_layers?: readonly (readonly [string])[] }
    | undefined;
  if (!config?.layers || config.output_layers?.length !== 1) {
    throw invalid(
      `it is a ${String(model.class_name)} with ${config?.output_layers?.length ?? "no"} outputs, expected a Sequential or a Model with one output`,
    );
  }
  const layers = config.layers.map((json) => {
    const calls = json.inbound_nodes ?? [];
    if (calls.length > 1) throw invalid(`layer ${nameOf(json)} is shared between ${calls.length} places`);
    return { json, inputs: (calls[0] ?? []).map(([name]) => name) };
  });
  return { layers, output: config.output_layers[0]![0] };
}

function sourceOf(json: LayerJson, weights: WeightTable): LayerSource {
  const name = nameOf(json);
  return {
    className: json.class_name,
    name,
    config: json.config,
    weight(part) {
      const weight = weights.get(`${name}/${part}`);
      if (weight === undefined) throw invalid(`layer ${name} has no weight ${part}`);
      return weight;
    },
  };
}

function nameOf(json: LayerJson): string {
  return String(json.config.name);
}

function readWeights({ weightSpecs, weightData }: LayersModelArtifacts): WeightTable {
  const table = new Map<string, { values: Float32Array; shape: readonly number[] }>();
  let offset = 0;
  for (const { name, shape, dtype } of weightSpecs) {
    if (dtype !== "float32") throw invalid(`weight ${name} has type ${dtype}, expected float32`);
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    if (offset + bytes > weightData.byteLength)
      throw invalid(`its weights end at ${weightData.byteLength} bytes, within ${name}`);
    const values = new Float32Array(weightData.slice(offset, offset + bytes).buffer);
    table.set(name, { values, shape });
    offset += bytes;
  }
  if (offset !== weightData.byteLength)
    throw invalid(`its weights have ${weightData.byteLength} bytes, expected ${offset}`);
  return table;
}

function invalid(what: string): DistillateError {
  return new DistillateError({
    code: "model-invalid",
    message: `the model cannot be read: ${what}`,
    hint: "Give a tfjs LayersModel as model.save() writes it, with one input and one output.",
  });
}
