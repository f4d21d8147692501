/** Each architecture with seeded weights, exported to fp32 and int8: what the conformance tests show to independent readers. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeModel, exportModel, type Feeds, quantizeStatic, type Runner } from "@distillate/export";
import {
  buildModel,
  type ModelConfig,
  nextUnit,
  parseConfig,
  randomFor,
  readCheckpoint,
  selectEngine,
  writeCheckpoint,
} from "@distillate/train";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** A model's files, its input and what onnxruntime-node makes of it. */
export interface ExportedModel {
  readonly name: string;
  readonly files: { readonly fp32: Uint8Array; readonly int8: Uint8Array };
  readonly input: Float32Array;
  /** `[batch, channels, height, width]`. */
  readonly shape: readonly number[];
}

const BATCH = 4;
const MODELS: readonly { readonly config: object; readonly shape: readonly [number, number, number] }[] = [
  { config: { name: "cnn", filters: [4, 8], dense: 16, dropout: 0.2 }, shape: [28, 28, 1] },
  { config: { name: "ds-cnn", filters: 8, blocks: 2 }, shape: [25, 17, 1] },
  { config: { name: "resnet-8", filters: 8 }, shape: [32, 32, 3] },
];

/** Runs a file in onnxruntime-node, for calibration. */
const nodeRunner: Runner = async (onnx, options = {}) => {
  const session = await InferenceSession.create(onnx, { graphOptimizationLevel: options.optimization ?? "all" });
  return {
    async run(feeds): Promise<Feeds> {
      const inputs = Object.entries(feeds).map(([name, { bytes, shape }]) => {
        const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
        return [name, new Tensor("float32", values, shape)] as const;
      });
      const outputs = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { data, dims }]) => {
          const { buffer, byteOffset, byteLength } = data as Float32Array;
          return [
            name,
            { dtype: "float32", shape: dims, bytes: new Uint8Array(buffer, byteOffset, byteLength) },
          ] as const;
        }),
      );
    },
    dispose: () => session.release(),
  };
};

/** Builds and exports all models. */
export async function exportedModels(): Promise<readonly ExportedModel[]> {
  await selectEngine({ engine: "wasm" });
  return Promise.all(MODELS.map(({ config, shape }) => exportOne(modelConfig(config), shape)));
}

function modelConfig(model: object): ModelConfig {
  const data = { kind: "mnist" };
  return parseConfig({ name: "conformance", data, teacher: { model }, student: { model } }).student.model;
}

async function exportOne(config: ModelConfig, shape: readonly [number, number, number]): Promise<ExportedModel> {
  const model = buildModel(config, { shape, classes: 10, seed: 3 });
  const [height, width, channels] = shape;
  const directory = await mkdtemp(join(tmpdir(), "distillate-conformance-"));
  await writeCheckpoint(directory, model, {
    role: "student",
    seed: 3,
    labels: Array.from({ length: 10 }, (_, i) => String(i)),
    preprocess: {
      kind: "image",
      width,
      height,
      channels: channels as 1 | 3,
      fit: "contain",
      scale: 1 / 255,
      mean: new Array<number>(channels).fill(0),
      std: new Array<number>(channels).fill(1),
      layout: "nhwc",
    },
    inputShape: shape,
    parameters: model.countParams(),
    epoch: 1,
    validationAccuracy: 0,
    history: [],
    config: {},
    dataHash: "",
    engine: "wasm",
  });
  const { graph, onnx } = exportModel((await readCheckpoint(directory)).artifacts, { name: config.name });
  const random = randomFor(11, height);
  const input = Float32Array.from({ length: BATCH * height * width * channels }, () => nextUnit(random));
  const nchw = [BATCH, channels, height, width];
  const sample = { input: { dtype: "float32" as const, shape: nchw, bytes: new Uint8Array(input.buffer) } };
  const quantized = await quantizeStatic(graph, { run: nodeRunner, samples: [sample] });
  const int8 = encodeModel(quantized.graph, { producer: "distillate", producerVersion: "test" });
  return { name: config.name, files: { fp32: onnx, int8 }, input, shape: nchw };
}
