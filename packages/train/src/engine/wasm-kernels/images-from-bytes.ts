/** Normalised images from their bytes, each looked up: there are 256 of a channel. They are the preprocessing's own to the bit. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { type BytesToImages, IMAGES_FROM_BYTES } from "../images-from-bytes.ts";
import { VALUES } from "../tasks/images.ts";
import { inParts } from "../threads/in-parts.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";

export const imagesFromBytes: WasmKernel = {
  name: IMAGES_FROM_BYTES,
  run({ inputs, attrs, backend }: KernelCall<BytesToImages>): TensorInfo {
    const { words } = inputs as { words: TensorInfo };
    const { shape, factor, shift } = attrs;
    const [size, wordsOfImage] = words.shape as [number, number];
    const length = util.sizeFromShape([...shape]);
    const channels = factor.length;
    const output = backend.makeOutput([size, ...shape], "float32");
    const table = backend.makeOutput([channels, VALUES], "float32");
    const values = backend.typedArrayFromHeap(table);
    for (let c = 0; c < channels; c++) {
      for (let byte = 0; byte < VALUES; byte++) values[c * VALUES + byte] = byte * factor[c]! - shift[c]!;
    }
    const [from, by, to] = addressesOf(backend, [words, table, output]);
    const told = { bytes: from, stride: wordsOfImage * 4, table: by, channels, size: length, out: to };
    inParts(backend, "lookUpImages", told, size);
    backend.disposeData(table.dataId);
    return output;
  },
};
