/** Normalised images from bytes. tfjs has no type for bytes, so they arrive four to an int32. */
import * as tf from "@tensorflow/tfjs-core";
import { DTYPES } from "../capture/binding.ts";
import { type BytesToImages, IMAGES_FROM_BYTES } from "../images-from-bytes.ts";
import { flagAttr, type KernelCall, type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Number of uint8 among TensorFlow's types; tfjs takes such a tensor for int32 and hands it on unseen. */
const UINT8 = 4;

/** `[size, words]` to `[size, ...shape]`; what the last word has beyond an image is left out. */
export const imagesFromBytes: TensorflowKernel = {
  name: IMAGES_FROM_BYTES,
  run({ inputs, attrs, backend }: KernelCall<BytesToImages>) {
    const [size, words] = inputs.words!.shape as [number, number];
    const length = tf.util.sizeFromShape([...attrs.shape]);
    const bytesType = typeAttr(backend, "T", UINT8);
    const indexType = (name: string) => typeAttr(backend, name, DTYPES.int32);
    const indices = (values: readonly number[]) => tf.tensor1d([...values], "int32");
    return tf.tidy(() => {
      const from = [typeAttr(backend, "T", DTYPES.int32), typeAttr(backend, "type", UINT8)];
      const bytes = backend.executeSingleOutput("Bitcast", from, [inputs.words!]);
      const reshape = (tensor: tf.Tensor, shape: readonly number[]): tf.Tensor =>
        backend.executeSingleOutput("Reshape", [bytesType, indexType("Tshape")], [tensor, indices(shape)]);
      const rows = reshape(bytes, [size, words * 4]);
      const images =
        words * 4 === length
          ? rows
          : backend.executeSingleOutput(
              "Slice",
              [bytesType, indexType("Index")],
              [rows, indices([0, 0]), indices([size, length])],
            );
      const shaped = reshape(images, [size, ...attrs.shape]);
      const casts = [typeAttr(backend, "SrcT", UINT8), typeAttr(backend, "DstT"), flagAttr(backend, "Truncate", false)];
      const floats = backend.executeSingleOutput("Cast", casts, [shaped]);
      return tf.sub(tf.mul(floats, tf.tensor1d([...attrs.factor])), tf.tensor1d([...attrs.shift]));
    });
  },
};
