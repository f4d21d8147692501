/** Models that public packages ship in tfjs' graph format: exported, they say in onnxruntime what they say in tfjs. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { exportModel } from "@distillate/export";
import { readTfjsModel } from "@distillate/train";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { expectAgreement, openGraphModel } from "../fixtures/graph-models.ts";

const require = createRequire(import.meta.url);
const human = (file: string): string => join(dirname(require.resolve("@vladmandic/human")), "../models", file);
const basicPitch = join(dirname(require.resolve("@spotify/basic-pitch")), "../model");
const languages = join(dirname(require.resolve("@vscode/vscode-languagedetection")), "../../model");

/** What a model is fed where its own sizes stay open or its values have a range, and what must be left in its graph. */
interface Shipped {
  readonly path: string;
  readonly batch: number;
  readonly range?: readonly [number, number];
  /** Transposes that the model cannot do without: its outputs list pixel by pixel what lies channel by channel. */
  readonly transposes: number;
}

const MODELS: { readonly [name: string]: Shipped } = {
  "basic-pitch, notes in music": { path: basicPitch, batch: 1, range: [-1, 1], transposes: 2 },
  "antispoof, a small CNN, float16": { path: human("antispoof.json"), batch: 2, transposes: 0 },
  "blazeface, single-shot detector": { path: human("blazeface.json"), batch: 1, transposes: 4 },
  "centernet, MobileNetV3 and TopK, float16": {
    path: human("centernet.json"),
    batch: 1,
    range: [0, 255],
    transposes: 2,
  },
  "emotion, mini-Xception": { path: human("emotion.json"), batch: 2, transposes: 0 },
  "facemesh, PReLU, float16": { path: human("facemesh.json"), batch: 2, transposes: 0 },
  "faceres, MobileNetV1 unfused, float16": { path: human("faceres.json"), batch: 1, range: [0, 255], transposes: 0 },
  "handlandmark, MobileNetV2, float16": { path: human("handlandmark-lite.json"), batch: 1, transposes: 0 },
  "iris, PReLU": { path: human("iris.json"), batch: 2, transposes: 0 },
  "liveness, batch norms as products": { path: human("liveness.json"), batch: 2, transposes: 0 },
  "movenet, int32 input, GatherNd, float16": {
    path: human("movenet-lightning.json"),
    batch: 1,
    range: [0, 255],
    transposes: 7,
  },
};

beforeAll(async () => {
  wasm.setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
  await tf.setBackend("wasm");
});

test.each(Object.keys(MODELS))("%s", async (name) => {
  const { path, batch, range: [low, high] = [0, 1], transposes } = MODELS[name]!;
  const artifacts = await readTfjsModel(path);
  const model = await openGraphModel(artifacts);
  const inputs = Object.fromEntries(
    model.inputs.map(({ name: input, shape, dtype }) => {
      const values = tf.randomUniform(
        shape!.map((size) => (size < 0 ? batch : size)),
        low,
        high,
        "float32",
        7,
      );
      return [input, dtype === "int32" ? tf.cast(values, "int32") : values];
    }),
  );
  const { report } = await expectAgreement(artifacts, model, inputs, { tolerance: 1e-4 });
  expect(report.ops.Transpose ?? 0).toBe(transposes);
  model.dispose();
});

test.each([
  [
    "a loop over lists",
    human("handtrack.json"),
    /TensorListReserve.* a list of tensors.*nor can its Enter, .*While|Where/,
  ],
  ["text", languages, /TensorListReserve|StringToHashBucketFast/],
])("what needs %s is refused by name before anything is written", async (_what, path, message) => {
  const artifacts = await readTfjsModel(path);
  expect(() => exportModel(artifacts, { name: "refused" })).toThrow(message);
  expect(() => exportModel(artifacts, { name: "refused" })).toThrow(
    expect.objectContaining({ code: "op-unsupported" }),
  );
});
