/** An ONNX classifier in onnxruntime-node, on the CPU. */
import { stat } from "node:fs/promises";
import { DistillateError } from "@distillate/bundle";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { type Classifier, inputOf } from "./classifier.ts";

/** @throws DistillateError `teacher-unusable` for a file that does not load or is no image classifier. */
export async function openOnnxClassifier(path: string): Promise<Classifier> {
  const session = await InferenceSession.create(path, { executionProviders: ["cpu"], logSeverityLevel: 3 }).catch(
    (error: unknown) => {
      throw unusable(path, `onnxruntime-node does not load it (${(error as Error).message})`, error);
    },
  );
  const [image, ...others] = session.inputMetadata;
  const dims = image?.isTensor ? image.shape.map((dim) => (typeof dim === "number" ? dim : null)) : [];
  const input = inputOf(dims, "nchw");
  if (input === undefined || others.length > 0) {
    const found = session.inputMetadata.map((each) => `${each.name} [${each.isTensor ? each.shape.join(", ") : ""}]`);
    throw unusable(path, `its inputs are ${found.join(" and ")}, expected one image of 1 or 3 channels`);
  }
  return {
    format: "ONNX",
    input,
    bytes: (await stat(path)).size,
    async run(images, shape) {
      const output = await session.run({ [session.inputNames[0]!]: new Tensor("float32", images, shape) });
      return Float32Array.from(output[session.outputNames[0]!]!.data as Float32Array);
    },
    dispose: () => void session.release(),
  };
}

function unusable(path: string, what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "teacher-unusable",
    message: `${path} cannot be the teacher: ${what}`,
    hint: "Give an image classifier with one float32 input [batch, channels, height, width] or channels last.",
    cause,
  });
}
