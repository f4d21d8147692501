/** Images as a convolution's windows go over them: with zeros beside them, but not above and below. */
import type { Loops } from "../simd/loops.ts";
import type { Told } from "./task.ts";

/**
 * Where images lie, how many bytes their rows have and how many there are; and the frames, one for each thread, or 0 where windows
 * stay within the images: bytes of a row of it, and how far within the image begins.
 */
export const FRAMING = ["images", "imageRow", "imageRows", "frames", "row", "left"] as const;

/** Gives the address of an image's frame, valid until the next is asked for. */
export function framedImages(
  loops: Loops,
  thread: number,
  { images, imageRow, imageRows, frames, row, left }: Told<(typeof FRAMING)[number]>,
): (image: number) => number {
  const bytes = imageRows * imageRow;
  if (frames === 0) return (image) => images + image * bytes;
  const frame = frames + thread * imageRows * row;
  loops.clear(frame, imageRows * row);
  return (image) => {
    loops.copyRows(images + image * bytes, imageRow, frame + left, row, imageRow, imageRows);
    return frame;
  };
}
