/** Images of a batch with the zeros around them that a convolution's windows reach. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { backend_util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";

/** Where the pixels of framed images are; in bytes. */
export interface Frame {
  readonly pixel: number;
  readonly row: number;
  /** Address of the top left corner of an image's frame; valid until the next image is asked for. */
  imageAt(n: number): number;
  dispose(): void;
}

/** Frames images that lie at an address: one at a time is copied, or none where a convolution stays within them. */
export function frameOf(backend: BackendWasm, images: number, info: backend_util.Conv2DInfo): Frame {
  const { inHeight, inWidth, inChannels, padInfo } = info;
  const { top, left } = padInfo;
  // Where sizes are rounded up, the last window reaches beyond the padding.
  const reach = (outSize: number, stride: number, window: number): number => (outSize - 1) * stride + window;
  const height = Math.max(
    top + inHeight + padInfo.bottom,
    reach(info.outHeight, info.strideHeight, info.effectiveFilterHeight),
  );
  const width = Math.max(
    left + inWidth + padInfo.right,
    reach(info.outWidth, info.strideWidth, info.effectiveFilterWidth),
  );
  const pixel = inChannels * 4;
  const [row, rowOfImage] = [width * pixel, inWidth * pixel];
  const imageBytes = inHeight * rowOfImage;
  if (height === inHeight && width === inWidth) {
    return { pixel, row, imageAt: (n) => images + n * imageBytes, dispose: () => undefined };
  }
  const frame = backend.makeOutput([height * width * inChannels], "float32");
  const zeros = backend.typedArrayFromHeap(frame);
  zeros.fill(0);
  const at = zeros.byteOffset;
  const loops = loopsOf(backend);
  return {
    pixel,
    row,
    imageAt(n) {
      loops.copyRows(images + n * imageBytes, rowOfImage, at + top * row + left * pixel, row, rowOfImage, inHeight);
      return at;
    },
    dispose: () => {
      backend.disposeData(frame.dataId);
    },
  };
}
