import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { backend_util } from "@tensorflow/tfjs-core";
import type { FRAMING } from "../tasks/framed-images.ts";
import type { Told } from "../tasks/task.ts";
import { threadCount } from "../threads/in-parts.ts";
import { addressesOf } from "./kernel.ts";

/** What a task is told of images that lie at an address, and of the frames that threads make of them; `dispose` frees those. */
export function framingOf(
  backend: BackendWasm,
  images: number,
  info: backend_util.Conv2DInfo,
): { readonly framing: Told<(typeof FRAMING)[number]>; dispose(): void } {
  const { inHeight, inWidth, inChannels, padInfo } = info;
  const { left, right } = padInfo;
  // Where sizes are rounded up, the last window reaches beyond the padding.
  const reach = (info.outWidth - 1) * info.strideWidth + info.effectiveFilterWidth;
  const width = Math.max(left + inWidth + right, reach);
  const pixel = inChannels * 4;
  const framing = { images, imageRow: inWidth * pixel, imageRows: inHeight, row: width * pixel, left: left * pixel };
  if (width === inWidth) return { framing: { frames: 0, ...framing }, dispose: () => undefined };
  const buffers = backend.makeOutput([threadCount() * inHeight * width * inChannels], "float32");
  const [frames] = addressesOf(backend, [buffers]);
  return { framing: { frames, ...framing }, dispose: () => void backend.disposeData(buffers.dataId) };
}
