/** A folder of images of which nobody knows the class, in directories as deep as one likes: what only a teacher speaks about. */
import { readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { DistillateError } from "@distillate/bundle";
import { type DataNote, type Images, type LoadOptions, NO_LABEL } from "./dataset.ts";
import { readDatasetFile, writeDatasetFile } from "./dataset-file.ts";
import { hashDataset } from "./hash-dataset.ts";
import {
  decodeFiles,
  type ImageTarget,
  isImageFile,
  keyOfFiles,
  type Unreadable,
  unreadableNote,
} from "./image-files.ts";

/** Images without labels, and what had to be left out. */
export interface Unlabelled {
  readonly images: Images;
  /** SHA-256 over shape and pixels. */
  readonly hash: string;
  readonly notes: readonly DataNote[];
}

/**
 * Loads a folder of unlabelled images, decoded to the size of those that have a label. Decoded once into a cached set.
 *
 * @throws DistillateError `unlabelled-missing`, `unlabelled-empty` or `data-cache-corrupted`.
 */
export async function loadUnlabelled(
  directory: string,
  target: ImageTarget,
  { cacheDir, onEvent }: Pick<LoadOptions, "cacheDir" | "onEvent">,
): Promise<Unlabelled> {
  const files = await filesBelow(directory);
  const path = join(cacheDir, `${await keyOfFiles(directory, [files], ["unlabelled", target])}.dset`);
  const cached = await readDatasetFile(path);
  if (cached) return { images: cached.train, hash: cached.hash, notes: cached.notes };

  const unreadable: Unreadable[] = [];
  const { kept, ...decoded } = await decodeFiles(directory, files, target, {
    onUnreadable: (file) => void unreadable.push(file),
    onDone: (done) => onEvent?.({ kind: "progress", what: "unlabelled images decoded", done, total: files.length }),
  });
  if (kept.length === 0) throw empty(directory, unreadable[0]);
  const images: Images = { ...decoded, classes: new Uint16Array(kept.length).fill(NO_LABEL) };
  const none: Images = { count: 0, shape: images.shape, pixels: new Uint8Array(), classes: new Uint16Array() };
  const content = { labels: [], train: images, test: none };
  const hash = hashDataset(content);
  const notes = unreadable.length > 0 ? [unreadableNote(unreadable)] : [];
  await writeDatasetFile(path, { name: "unlabelled", ...content, hash, notes });
  return { images, hash, notes };
}

/** In code-unit order of their paths, so that every machine has the same order. */
async function filesBelow(directory: string): Promise<readonly { readonly path: string }[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new DistillateError({
      code: "unlabelled-missing",
      message: `the directory ${directory} of data.unlabelled cannot be read`,
      hint: "Give a directory that has image files, in directories of its own or not.",
      cause,
    });
  });
  return entries
    .filter((entry) => !entry.isDirectory() && isImageFile(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => (a.replaceAll(sep, "/") < b.replaceAll(sep, "/") ? -1 : 1))
    .map((path) => ({ path }));
}

function empty(directory: string, first: Unreadable | undefined): DistillateError {
  return new DistillateError({
    code: "unlabelled-empty",
    message: `${directory} of data.unlabelled has no image that can be decoded${first ? `; the first: ${first.name}: ${first.reason}` : ""}`,
    hint: "Put image files there (jpg, png, webp, gif, avif, tiff), or leave data.unlabelled out.",
  });
}
