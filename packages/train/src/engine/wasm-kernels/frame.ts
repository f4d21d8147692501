/** Images of a batch as a convolution's windows go over them: with zeros beside them, but not above and below. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { backend_util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";

/** Where the pixels of framed images are; in bytes. */
export interface Frame {
  readonly pixel: number;
  readonly row: number;
  /** Address of the first pixel of an image's frame; valid until the next image is asked for. */
  imageAt(n: number): number;
  dispose(): void;
}

/** Frames images that lie at an address: one at a time is copied, or none where a convolution stays within their width. */
export function frameOf(backend: BackendWasm, images: number, info: backend_util.Conv2DInfo): Frame {
  const { inHeight, inWidth, inChannels, padInfo } = info;
  const { left, right } = padInfo;
  // Where sizes are rounded up, the last window reaches beyond the padding.
  const reach = (info.outWidth - 1) * info.strideWidth + info.effectiveFilterWidth;
  const width = Math.max(left + inWidth + right, reach);
  const pixel = inChannels * 4;
  const [row, rowOfImage] = [width * pixel, inWidth * pixel];
  const imageBytes = inHeight * rowOfImage;
  if (width === inWidth) {
    return { pixel, row, imageAt: (n) => images + n * imageBytes, dispose: () => undefined };
  }
  const frame = backend.makeOutput([inHeight * width * inChannels], "float32");
  const zeros = backend.typedArrayFromHeap(frame);
  zeros.fill(0);
  const at = zeros.byteOffset;
  const loops = loopsOf(backend);
  return {
    pixel,
    row,
    imageAt(n) {
      loops.copyRows(images + n * imageBytes, rowOfImage, at + left * pixel, row, rowOfImage, inHeight);
      return at;
    },
    dispose: () => {
      backend.disposeData(frame.dataId);
    },
  };
}

/** Neighbouring rows of an output whose windows have the same rows within the image. */
export interface Band {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** The window's first row that lies in the image, and how many do. */
  readonly firstTap: number;
  readonly taps: number;
  /** Row of the image that the first of them is at, for the row `from`. */
  readonly start: number;
}

/** All rows of an output, from the top: those near an edge see less of their window, and need not multiply the rest by zero. */
export function bandsOf(info: backend_util.Conv2DInfo): readonly Band[] {
  const { inHeight, outHeight, strideHeight, dilationHeight, filterHeight } = info;
  const bands: Band[] = [];
  for (let y = 0; y < outHeight; y++) {
    const corner = y * strideHeight - info.padInfo.top;
    const firstTap = Math.min(filterHeight, Math.max(0, Math.ceil(-corner / dilationHeight)));
    const end = Math.min(filterHeight, Math.max(0, Math.ceil((inHeight - corner) / dilationHeight)));
    const taps = Math.max(0, end - firstTap);
    const last = bands.at(-1);
    if (last && last.firstTap === firstTap && last.taps === taps) bands[bands.length - 1] = { ...last, to: y + 1 };
    else bands.push({ from: y, to: y + 1, firstTap, taps, start: corner + firstTap * dilationHeight });
  }
  return bands;
}
