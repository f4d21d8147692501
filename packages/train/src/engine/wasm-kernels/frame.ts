import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { backend_util } from "@tensorflow/tfjs-core";
import type { FRAMING } from "../tasks/framed-images.ts";
import type { Told } from "../tasks/task.ts";
import { threadCount } from "../threads/in-parts.ts";
import { addressesOf } from "./kernel.ts";

/** Buffers in which threads frame images, and the bytes of a row; `dispose` frees them. */
export function framingOf(
  backend: BackendWasm,
  { inHeight, inWidth, inChannels, outWidth, strideWidth, effectiveFilterWidth, padInfo }: backend_util.Conv2DInfo,
): Omit<Told<(typeof FRAMING)[number]>, "images"> & { dispose(): void } {
  // Where sizes are rounded up, the last window reaches beyond the padding.
  const reach = (outWidth - 1) * strideWidth + effectiveFilterWidth;
  const width = Math.max(padInfo.left + inWidth + padInfo.right, reach);
  const row = width * inChannels * 4;
  if (width === inWidth) return { frames: 0, row, dispose: () => undefined };
  const buffers = backend.makeOutput([threadCount() * inHeight * width * inChannels], "float32");
  const [frames] = addressesOf(backend, [buffers]);
  return { frames, row, dispose: () => void backend.disposeData(buffers.dataId) };
}
