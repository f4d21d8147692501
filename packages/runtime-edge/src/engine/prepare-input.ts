/** From what a caller passed to the model's input tensors, by the bundle's own preprocessing. */
import { preprocessImage } from "@distillate/bundle";
import type { DecodeImage } from "./decode-image.ts";
import type { EngineContract, EngineInput, TensorValues } from "./engine.ts";

/** Tensors by input name, a row a sample. */
export async function prepareInput(
  input: EngineInput,
  { inputs, preprocess }: EngineContract,
  decode: DecodeImage,
): Promise<Readonly<Record<string, TensorValues>>> {
  if (input.kind === "tensors") return input.tensors;
  const { width, height, channels, layout } = preprocess;
  const size = width * height * channels;
  const data = new Float32Array(input.images.length * size);
  for (const [row, image] of input.images.entries()) {
    data.set(preprocessImage(await decode(image), preprocess), row * size);
  }
  const dims = layout === "nchw" ? [channels, height, width] : [height, width, channels];
  return { [inputs[0]!.name]: { data, dims: [input.images.length, ...dims] } };
}
