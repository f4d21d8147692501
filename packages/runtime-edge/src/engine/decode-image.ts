/** Encoded images to pixels with what a page has: createImageBitmap and a canvas that is not on the page. */
import { DistillateError, LIMITS, type Pixels } from "@distillate/bundle";
import type { EngineImage } from "./engine.ts";

/** Makes pixels of any {@link EngineImage}; the browser's own here, sharp's in the `/node` entry. */
export type DecodeImage = (image: EngineImage) => Promise<Pixels>;

/** Orientation applied and profiles converted to sRGB, as training decoded them; alpha is dropped later. */
const AS_TRAINED: ImageBitmapOptions = { premultiplyAlpha: "none", imageOrientation: "from-image" };

let canvas: OffscreenCanvas | undefined;

/** @throws DistillateError `input-unsupported` for bytes that are no image the browser knows. */
export const decodeInBrowser: DecodeImage = async (image) => {
  if (image.kind === "pixels") return image.pixels;
  if (image.kind === "bitmap") return readPixels(image.bitmap);
  const blob = image.bytes instanceof Uint8Array ? new Blob([image.bytes as Uint8Array<ArrayBuffer>]) : image.bytes;
  const bitmap = await createImageBitmap(blob, AS_TRAINED).catch((cause: unknown) => {
    throw new DistillateError({
      code: "input-unsupported",
      message: `${blob.size} bytes that this browser cannot decode as an image`,
      hint: "Pass a JPEG, PNG, WebP or another image that the browser shows.",
      cause,
    });
  });
  try {
    return readPixels(bitmap);
  } finally {
    bitmap.close();
  }
};

function readPixels(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  if (width > LIMITS.imageSide || height > LIMITS.imageSide) {
    throw new DistillateError({
      code: "input-unsupported",
      message: `an image of ${width} x ${height} pixels, expected at most ${LIMITS.imageSide} a side`,
      hint: "Scale it down first.",
    });
  }
  canvas ??= new OffscreenCanvas(width, height);
  // Setting the size clears the canvas, also where it stays the same.
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  try {
    context.drawImage(bitmap, 0, 0);
  } catch (cause) {
    throw new DistillateError({
      code: "input-unsupported",
      message: `the ImageBitmap cannot be drawn: ${(cause as Error).message}`,
      hint: "Close it only when its result is there.",
      cause,
    });
  }
  return { width, height, channels: 4, data: context.getImageData(0, 0, width, height).data };
}
