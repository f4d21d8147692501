/** Batches ready for a model. */
import type { Images } from "./dataset.ts";
import { type BatchOptions, type DrawnBatch, drawBatches, type Made, madeLength } from "./draw-batches.ts";
import { normalizePixels } from "./fill-inputs.ts";

/** One batch. Its arrays are used again for the next batch: copy what must last. */
export interface Batch extends DrawnBatch {
  /** `size * height * width * channels` floats in the layout of the preprocessing; made when they are first asked for. */
  readonly inputs: Float32Array;
  /** In a pass of bytes: the images changed but not normalised, `packedLength` bytes each. */
  readonly bytes?: Uint8Array;
}

/**
 * Goes once through the samples named by `indices`, batch by batch, by index: the set itself is never copied or moved.
 * The last batch may be smaller.
 */
export async function* batches(images: Images, indices: Uint32Array, options: BatchOptions): AsyncGenerator<Batch> {
  const length = madeLength(images.shape, options);
  const all = options.asBytes
    ? new Uint8Array(options.batchSize * length)
    : new Float32Array(options.batchSize * length);
  for (const { drawn, fill } of drawBatches(images, indices, options)) {
    const made = all.subarray(0, drawn.size * length);
    if (made instanceof Uint8Array) {
      fill(made);
      yield batchOf(drawn, made, images, options);
    } else {
      yield lazily(drawn, () => {
        fill(made);
        return made;
      });
    }
  }
}

/** A batch from what was made of it. */
export function batchOf(
  drawn: DrawnBatch,
  made: Made,
  { shape }: Pick<Images, "shape">,
  { preprocess }: Pick<BatchOptions, "preprocess">,
): Batch {
  if (made instanceof Float32Array) return { ...drawn, inputs: made };
  return lazily({ ...drawn, bytes: made }, () => normalizePixels(made, shape, preprocess));
}

function lazily(batch: Omit<Batch, "inputs">, make: () => Float32Array): Batch {
  let inputs: Float32Array | undefined;
  return {
    ...batch,
    get inputs() {
      inputs ??= make();
      return inputs;
    },
  };
}
