import { DistillateError, normalizeImage, type PreprocessSpec } from "@distillate/bundle";
import type { Feeds, Tensor } from "@distillate/export";
import type { Images, Logits } from "@distillate/train";
import { nodeRunner } from "./node-runner.ts";

const BATCH = 250;

/** Images as the feeds of an exported model: float32, channels first, `size` at a time. */
export function* imageFeeds(
  images: Images,
  preprocess: PreprocessSpec,
  input: string,
  indices?: Uint32Array,
  size = BATCH,
): Generator<Feeds> {
  const [height, width, channels] = images.shape;
  const length = height * width * channels;
  const spec = { ...preprocess, layout: "nchw" } as const;
  const count = indices?.length ?? images.count;
  for (let start = 0; start < count; start += size) {
    const batch = Math.min(size, count - start);
    const values = new Float32Array(batch * length);
    for (let i = 0; i < batch; i++) {
      const sample = indices ? indices[start + i]! : start + i;
      normalizeImage(images.pixels.subarray(sample * length, (sample + 1) * length), spec, values, i * length);
    }
    const tensor: Tensor = {
      dtype: "float32",
      shape: [batch, channels, height, width],
      bytes: new Uint8Array(values.buffer),
    };
    yield { [input]: tensor };
  }
}

/**
 * Runs a classifier in onnxruntime-node over all images of a part, `size` at a time.
 *
 * @throws DistillateError `batch-mismatch` where a model of a fixed batch would be left with less.
 */
export async function onnxLogits(
  onnx: Uint8Array,
  images: Images,
  preprocess: PreprocessSpec,
  classes: number,
  size?: number,
): Promise<Logits> {
  if (size !== undefined && images.count % size !== 0) {
    throw new DistillateError({
      code: "batch-mismatch",
      message: `the model takes ${size} images at a time, which ${images.count} is no multiple of`,
      hint: "Export it with a batch of 1 or a symbolic one.",
    });
  }
  const model = await nodeRunner(onnx);
  try {
    const values = new Float32Array(images.count * classes);
    let offset = 0;
    for (const feeds of imageFeeds(images, preprocess, model.inputNames[0]!, undefined, size)) {
      const [output] = Object.values(await model.run(feeds));
      const { bytes } = output!;
      values.set(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), offset);
      offset += bytes.byteLength / 4;
    }
    return { classes, values };
  } finally {
    await model.dispose();
  }
}
