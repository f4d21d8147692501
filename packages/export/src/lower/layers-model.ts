/**
 * A tfjs LayersModel (Sequential or functional) as a graph: its layers in order, each by its lowering. Models inside of models are
 * lowered in place; a layer that is called twice becomes two sets of nodes with the same weights.
 */
import type { DType, Tensor, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { floatsOf } from "../tensor.ts";
import { invalid, type ModelArtifacts, readWeights } from "./artifacts.ts";
import {
  type GraphBuilder,
  type LayerSource,
  type Lowered,
  type LoweredModel,
  type LowerOptions,
  startGraph,
  unsupported,
} from "./context.ts";
import { LOWERINGS } from "./layers/index.ts";
import { asChannelsFirst, asTfjs, reshapeTo } from "./layout.ts";

interface LayerJson {
  readonly class_name: string;
  readonly config: { readonly [key: string]: unknown; readonly name?: string };
  /** Of each call, what it reads: layer, call of it, output of that. */
  readonly inbound_nodes?: readonly (readonly Reference[])[];
}

type Reference = readonly [layer: string, call: number, output: number, ...unknown[]];
type WeightTable = ReadonlyMap<string, Tensor>;

/** A model as layers, its inputs and outputs named. */
interface ModelJson {
  readonly layers: readonly LayerJson[];
  readonly inputs: readonly Reference[];
  readonly outputs: readonly Reference[];
}

/** What the lowering of one file has at hand everywhere. */
interface Scope {
  readonly weights: WeightTable;
  readonly builder: GraphBuilder;
}

/**
 * Lowers a model. One input is called `input`, several have their layers' names; outputs are called after their layers. Images go in
 * and out as [batch, c, h, w]; all else, and everything in models that are channels first themselves, as tfjs has it.
 *
 * @throws DistillateError `layer-unsupported` naming layer and reason, or `model-invalid`.
 */
export function lowerLayersModel(artifacts: ModelArtifacts, options: LowerOptions): LoweredModel {
  const root = artifacts.modelTopology as { model_config?: object };
  const json = (root.model_config ?? root) as LayerJson;
  const model = modelOf(json);
  const builder = startGraph(options.opset);
  const hasImages = !JSON.stringify(json).includes('"channels_first"');
  const inputs: Value[] = [];
  const images: string[] = [];
  const values = model.inputs.map(([name]): Lowered => {
    const layer = model.layers.find((candidate) => nameOf(candidate) === name);
    const edge = model.inputs.length === 1 ? "input" : name;
    const shape = inputShapeOf(layer, name);
    const isImage = shape.length === 3 && hasImages;
    const dims = isImage ? [shape[2]!, shape[0]!, shape[1]!] : shape;
    if (isImage) images.push(edge);
    inputs.push({ name: edge, dtype: inputTypeOf(layer), shape: [options.batch, ...dims] });
    return { edge, shape, layout: isImage ? "channelsFirst" : "tfjs" };
  });
  const results = lowerModel(model, values, { weights: readWeights(artifacts), builder }, "");
  const taken = new Set(inputs.map(({ name }) => name));
  const outputs = results.map((value, i) => {
    const plain = value.flattened === undefined ? value : asTfjs(value, builder);
    const isImage = plain.shape.length === 3 && hasImages;
    const { edge } = isImage ? asChannelsFirst(plain, builder) : asTfjs(plain, builder);
    const free = taken.has(edge) ? builder.add("Identity", `${model.outputs[i]![0]}/output`, [edge]) : edge;
    taken.add(free);
    if (isImage) images.push(free);
    return free;
  });
  const { nodes, constants } = builder.finish();
  if (nodes.length === 0) throw invalid("its output is its input");
  const graph = inferShapes({
    name: options.name,
    opset: options.opset,
    inputs,
    outputs: [],
    nodes,
    constants,
    values: new Map(),
  });
  return { graph: { ...graph, outputs: outputs.map((edge) => graph.values.get(edge)!) }, images };
}

/** Lowers all layers of a model in the order in which they can run. */
function lowerModel(model: ModelJson, inputs: readonly Lowered[], scope: Scope, prefix: string): readonly Lowered[] {
  const done = new Map<string, readonly Lowered[]>();
  const key = (name: string, call: number): string => `${name} ${call}`;
  for (const [i, [name, call]] of model.inputs.entries()) done.set(key(name, call), [inputs[i]!]);
  // A model inside of this one counts its own making as its first call.
  const calls = model.layers.flatMap((json) =>
    (json.inbound_nodes ?? [])
      .map((reads, call) => ({ json, reads, call: isModel(json) ? call + 1 : call }))
      .filter(({ reads }) => reads.length > 0),
  );
  // Calls stand in an order that runs, but for a layer's second call, which may read what comes later: it waits for that.
  const waiting = new Map<string, (typeof calls)[number][]>();
  const missingOf = ({ reads }: (typeof calls)[number]): Reference | undefined =>
    reads.find(([name, index]) => !done.has(key(name, index)));
  for (const start of calls) {
    const ready = [start];
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      const missing = missingOf(next);
      if (missing !== undefined) {
        const at = key(missing[0], missing[1]);
        waiting.set(at, [...(waiting.get(at) ?? []), next]);
        continue;
      }
      const { json, reads, call } = next;
      const values = reads.map(([name, index, output]) => {
        const value = done.get(key(name, index))![output];
        if (value === undefined)
          throw invalid(`layer ${nameOf(json)} reads output ${output} of ${name}, which has fewer`);
        return value;
      });
      const name = `${prefix}${nameOf(json)}${call > (isModel(json) ? 1 : 0) ? `_${call}` : ""}`;
      const here = key(nameOf(json), call);
      done.set(here, lowerCall(json, name, values, scope));
      ready.push(...(waiting.get(here) ?? []).reverse());
      waiting.delete(here);
    }
  }
  const [stuck] = [...waiting.values()].flat();
  if (stuck !== undefined)
    throw invalid(`layer ${nameOf(stuck.json)} reads ${missingOf(stuck)![0]}, which is not there or reads it in turn`);
  return model.outputs.map(([name, call, output]) => {
    const value = done.get(key(name, call))?.[output];
    if (value === undefined) throw invalid(`it has no layer ${name}`);
    return value;
  });
}

function lowerCall(json: LayerJson, name: string, inputs: readonly Lowered[], scope: Scope): readonly Lowered[] {
  const className = json.class_name;
  if (isModel(json)) {
    const model = modelOf(json);
    const values = model.inputs.length === inputs.length ? inputs : undefined;
    if (values === undefined)
      throw invalid(`model ${nameOf(json)} has ${model.inputs.length} inputs, is given ${inputs.length}`);
    return lowerModel(model, values, scope, `${name}/`);
  }
  if (className === "TimeDistributed") return [timeDistributed(json, name, inputs[0]!, scope)];
  const source = sourceOf(json, name, nameOf(json), scope.weights);
  const lowering = Object.hasOwn(LOWERINGS, className) ? LOWERINGS[className] : undefined;
  if (lowering === undefined) {
    throw unsupported(
      source,
      "this kind of layer is not in the table",
      `Build the model of ${Object.keys(LOWERINGS).join(", ")}, TimeDistributed.`,
    );
  }
  const lowered = lowering(source, inputs, scope.builder);
  return Array.isArray(lowered) ? (lowered as readonly Lowered[]) : [lowered as Lowered];
}

/** TimeDistributed: steps join the batch, the layer inside runs, steps part from the batch again. */
function timeDistributed(json: LayerJson, name: string, input: Lowered, { weights, builder }: Scope): Lowered {
  const inner = json.config.layer as LayerJson;
  const source = sourceOf(inner, `${name}/${nameOf(inner)}`, nameOf(json), weights);
  const lowering = Object.hasOwn(LOWERINGS, inner.class_name) ? LOWERINGS[inner.class_name] : undefined;
  if (lowering === undefined)
    throw unsupported(source, "this kind of layer is not in the table", "Use a single layer.");
  if (input.masked) throw unsupported(source, "it reads a mask", "Build the model without Masking and maskZero.");
  const { edge, shape } = asTfjs(input, builder);
  const steps: Lowered = {
    edge: reshapeTo(`${name}/steps`, edge, shape.slice(1), builder),
    shape: shape.slice(1),
    layout: "tfjs",
  };
  const [lowered] = [lowering(source, [steps], builder)].flat() as [Lowered];
  const result = asTfjs(lowered, builder);
  const output = [shape[0]!, ...result.shape];
  return { edge: reshapeTo(name, result.edge, output, builder), shape: output, layout: "tfjs" };
}

function isModel({ class_name, config }: LayerJson): boolean {
  return ["Sequential", "Model", "Functional"].includes(class_name) || Array.isArray(config);
}

/** A Sequential's layers read each other in a row; a functional model says what each reads. */
function modelOf(json: LayerJson): ModelJson {
  const config = json.config as { layers?: readonly LayerJson[]; input_layers?: unknown; output_layers?: unknown };
  const layers = (Array.isArray(json.config) ? (json.config as readonly LayerJson[]) : config?.layers) ?? [];
  if (layers.length === 0 || layers.some((layer) => typeof layer?.config !== "object" || layer.config === null))
    throw invalid(`it is a ${String(json.class_name)} without layers`);
  if (json.class_name === "Sequential") {
    const [first] = layers as readonly [LayerJson];
    const start: Reference = [first.class_name === "InputLayer" ? nameOf(first) : `${nameOf(first)} input`, 0, 0];
    const rest = first.class_name === "InputLayer" ? layers.slice(1) : layers;
    const chained = rest.map((layer, i) => {
      const before: Reference = i === 0 ? start : [nameOf(rest[i - 1]!), 0, 0];
      return { ...layer, inbound_nodes: [[before]] };
    });
    const input = { class_name: "InputLayer", config: { ...startConfig(first), name: start[0] } };
    const last = rest.at(-1);
    return {
      layers: [input, ...chained],
      inputs: [start],
      outputs: [last === undefined ? start : [nameOf(last), 0, 0]],
    };
  }
  return { layers, inputs: references(config.input_layers), outputs: references(config.output_layers) };
}

/** The configuration that holds a Sequential's input shape: its first layer's, or that one's first layer's. */
function startConfig(first: LayerJson): LayerJson["config"] {
  if (!isModel(first)) return first.config;
  const { layers, inputs } = modelOf(first);
  return layers.find((layer) => nameOf(layer) === inputs[0]![0])?.config ?? first.config;
}

/** One reference, or a list of them. */
function references(value: unknown): readonly Reference[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid("it does not say what its inputs and outputs are");
  return (Array.isArray(value[0]) ? value : [value]) as readonly Reference[];
}

function inputShapeOf(layer: LayerJson | undefined, name: string): readonly number[] {
  const shape = (layer?.config.batch_input_shape as readonly (number | null)[] | undefined)?.slice(1);
  if (layer !== undefined && shape !== undefined && shape.length > 0 && shape.every((size) => typeof size === "number"))
    return shape as number[];
  throw unsupported(
    { name, className: layer?.class_name ?? "InputLayer" },
    `its input shape is [${shape?.join(", ") ?? "unknown"}]`,
    "Give it a fixed shape, all but the batch.",
  );
}

function inputTypeOf(layer: LayerJson | undefined): DType {
  return layer?.config.dtype === "int32" ? "int32" : "float32";
}

/** `owner` is the layer whose name the weights carry: the wrapper's, for a layer inside of one. */
function sourceOf(json: LayerJson, name: string, owner: string, weights: WeightTable): LayerSource {
  return {
    className: json.class_name,
    name,
    config: json.config,
    weight(part) {
      const weight = weights.get(`${owner}/${part}`);
      if (weight === undefined) throw invalid(`layer ${owner} has no weight ${part}`);
      if (weight.dtype !== "float32") throw invalid(`weight ${part} of layer ${owner} has type ${weight.dtype}`);
      return { values: floatsOf(weight), shape: weight.shape };
    },
  };
}

function nameOf(json: LayerJson): string {
  return String(json.config.name);
}
