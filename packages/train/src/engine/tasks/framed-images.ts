/** Images as a convolution's windows go over them: with zeros beside them, but not above and below. */
import type { Loops } from "../simd/loops.ts";
import type { Told } from "./task.ts";
import type { WindowSizes } from "./window-sizes.ts";

/** Where images and frames lie, and the bytes of a row of a frame: one for each thread, or 0 where windows stay within the images. */
export const FRAMING = ["images", "frames", "row"] as const;

/** Gives the address of an image's frame, valid until the next is asked for. */
export function framedImages(
  loops: Loops,
  thread: number,
  { images, frames, row, channels, inHeight, inWidth, left }: Told<(typeof FRAMING)[number]> & WindowSizes,
): (image: number) => number {
  const imageRow = inWidth * channels * 4;
  const bytes = inHeight * imageRow;
  if (frames === 0) return (image) => images + image * bytes;
  const frame = frames + thread * inHeight * row;
  const inset = frame + left * channels * 4;
  loops.clear(frame, inHeight * row);
  return (image) => {
    loops.copyRows(images + image * bytes, imageRow, inset, row, imageRow, inHeight);
    return frame;
  };
}
