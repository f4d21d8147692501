/** Image files to pixels through sharp (libvips); everything after decoding is the bundle's own code. */
import type { Pixels } from "@distillate/bundle";
import sharp from "sharp";

/** Width times height beyond which a file is refused: a small file can announce a huge image. */
const MAX_PIXELS = 100_000_000;

/**
 * Decodes one file: first frame, EXIF orientation applied, sRGB, 8 bits, alpha dropped. Throws what sharp throws for a file that
 * is damaged, too large or no image.
 */
export async function decodeImage(path: string): Promise<Pixels> {
  const { data, info } = await sharp(path, { limitInputPixels: MAX_PIXELS, failOn: "error", pages: 1 })
    .autoOrient()
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels: channels === 1 ? 1 : 3, data: new Uint8Array(data) };
}

/** Size and channels from a file's header, orientation applied; `undefined` when it cannot be read. */
export async function imageSize(
  path: string,
): Promise<{ readonly width: number; readonly height: number; readonly channels: number } | undefined> {
  try {
    const { autoOrient, space } = await sharp(path, { limitInputPixels: MAX_PIXELS }).metadata();
    return { ...autoOrient, channels: space === "b-w" ? 1 : 3 };
  } catch {
    // Decoding it will fail too, and that is noted by name.
    return undefined;
  }
}
