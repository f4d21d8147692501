/** A classifier in one of tfjs' two formats, on the engine that also trains. */
import { DistillateError } from "@distillate/bundle";
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { loadModel } from "../../checkpoint.ts";
import { type ModelArtifacts, readTfjsModel } from "../../read-tfjs-model.ts";
import { type Classifier, inputOf } from "./classifier.ts";

/**
 * Opens a `model.json`: a LayersModel, or a GraphModel of tfjs-converter.
 *
 * @throws DistillateError `teacher-unusable`, `model-invalid` or `checkpoint-missing`.
 */
export async function openTfjsClassifier(path: string): Promise<Classifier> {
  const artifacts = await readTfjsModel(path);
  const isGraph = "node" in artifacts.modelTopology;
  const model = await (isGraph ? loadGraph(artifacts) : loadModel(artifacts)).catch((error: unknown) => {
    throw unusable(path, `tfjs does not load it (${(error as Error).message})`, error);
  });
  const dims = model.inputs[0]!.shape;
  const input = inputOf(
    (dims ?? []).map((dim) => (dim === -1 ? null : dim)),
    "nhwc",
  );
  if (input === undefined || model.inputs.length !== 1) {
    const shapes = model.inputs.map(({ name, shape }) => `${name} [${shape?.join(", ") ?? "any"}]`);
    throw unusable(path, `its inputs are ${shapes.join(" and ")}, expected one image of 1 or 3 channels`);
  }
  return {
    format: isGraph ? "GraphModel" : "LayersModel",
    input,
    ...(!isGraph && { parameters: (model as LayersModel).countParams() }),
    bytes: artifacts.weightData.byteLength,
    async run(images, shape) {
      return tf.tidy(() => {
        const output = model.predict(tf.tensor(images, [...shape])) as tf.Tensor | tf.Tensor[];
        return Float32Array.from((Array.isArray(output) ? output[0]! : output).dataSync());
      });
    },
    dispose: () => model.dispose(),
  };
}

function loadGraph({ weightSpecs, weightData, ...artifacts }: ModelArtifacts): Promise<GraphModel> {
  return loadGraphModel(
    tf.io.fromMemory({ ...artifacts, weightSpecs: [...weightSpecs], weightData: weightData.slice().buffer }),
  );
}

function unusable(path: string, what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "teacher-unusable",
    message: `${path} cannot be the teacher: ${what}`,
    hint: "Give the model.json of an image classifier with one input [batch, height, width, channels].",
    cause,
  });
}
