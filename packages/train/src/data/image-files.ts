/** Image files of a folder, decoded to images of one size, whatever they are pictures of. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { relative, sep } from "node:path";
import { fitImage, type ImagePreprocess } from "@distillate/bundle";
import type { DataNote, Images } from "./dataset.ts";
import { decodeImage } from "./decode-image.ts";

/** What images become. */
export type ImageTarget = Pick<ImagePreprocess, "width" | "height" | "channels" | "fit">;

/** One file that is to be decoded. */
export interface ImageFile {
  readonly path: string;
}

/** One that cannot be. */
export interface Unreadable {
  readonly name: string;
  readonly reason: string;
}

const EXTENSIONS = /\.(jpe?g|png|webp|gif|avif|tiff?)$/i;
const AT_ONCE = 16;
/** Raised when the same files would be decoded to something else. */
const DECODING = 2;

/** Whether a file is one that is decoded, by its name. */
export function isImageFile(name: string): boolean {
  return EXTENSIONS.test(name) && !name.startsWith(".");
}

/** A key of names, sizes and times of files: decoded again when any of it changes. */
export async function keyOfFiles(
  directory: string,
  parts: readonly (readonly ImageFile[])[],
  purpose: readonly unknown[],
): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([DECODING, ...purpose]));
  for (const [part, files] of parts.entries()) {
    for (let start = 0; start < files.length; start += 1000) {
      const slice = files.slice(start, start + 1000);
      const stats = await Promise.all(slice.map(({ path }) => stat(path)));
      for (const [i, { path }] of slice.entries()) {
        hash.update(JSON.stringify([part, relative(directory, path), stats[i]!.size, stats[i]!.mtimeMs]));
      }
    }
  }
  return hash.digest("hex").slice(0, 32);
}

/** Decodes files, many at once; those that cannot be are told and left out. */
export async function decodeFiles<File extends ImageFile>(
  directory: string,
  files: readonly File[],
  target: ImageTarget,
  { onUnreadable, onDone }: { onUnreadable(file: Unreadable): void; onDone(count: number): void },
): Promise<Omit<Images, "classes"> & { readonly kept: readonly File[] }> {
  const shape = [target.height, target.width, target.channels] as const;
  const size = target.height * target.width * target.channels;
  const pixels = new Uint8Array(files.length * size);
  const kept: File[] = [];
  const nameOf = ({ path }: File): string => relative(directory, path).replaceAll(sep, "/");
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const slice = files.slice(start, start + AT_ONCE);
    const images = await Promise.all(
      slice.map((file) =>
        decodeImage(file.path).then(
          (image) => fitImage(image, target),
          (error: unknown) => {
            onUnreadable({ name: nameOf(file), reason: (error as Error).message });
            return undefined;
          },
        ),
      ),
    );
    for (const [i, image] of images.entries()) {
      if (image === undefined) continue;
      pixels.set(image, kept.length * size);
      kept.push(slice[i]!);
    }
    if (start % (AT_ONCE * 64) === 0) onDone(start + slice.length);
  }
  onDone(files.length);
  return { count: kept.length, shape, pixels: pixels.subarray(0, kept.length * size), names: kept.map(nameOf), kept };
}

/** What a report says of files that were left out. */
export function unreadableNote(unreadable: readonly Unreadable[]): DataNote {
  const shown = unreadable.slice(0, 10).map(({ name, reason }) => `${name}: ${reason}`);
  const more = unreadable.length > 10 ? `; and ${unreadable.length - 10} more` : "";
  return {
    code: "images-unreadable",
    message: `${unreadable.length} files could not be decoded and are left out: ${shown.join("; ")}${more}`,
  };
}
