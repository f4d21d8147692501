/**
 * A folder of images: `train|test/CLASS/*`, or `CLASS/*` split by seed. Classes are the directories' names in code-unit order. Any
 * format and size that sharp reads; EXIF orientation applied. Decoded once into a cached set.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import { randomFor, shuffle } from "../random.ts";
import type { DataNote, Dataset, Images, LoadOptions } from "./dataset.ts";
import { readDatasetFile, writeDatasetFile } from "./dataset-file.ts";
import { imageSize } from "./decode-image.ts";
import { hashDataset } from "./hash-dataset.ts";
import {
  decodeFiles,
  type ImageFile,
  type ImageTarget,
  isImageFile,
  keyOfFiles,
  type Unreadable,
  unreadableNote,
} from "./image-files.ts";
import { splitTrainValidation } from "./split.ts";

/** How {@link loadImageFolder} reads a folder. */
export interface ImageFolderOptions extends LoadOptions {
  /** What images become; without it, it is chosen from the images. */
  readonly image?: ImageTarget;
  /** Part of `CLASS/*` that becomes the test part. */
  readonly testFraction: number;
}

const MAX_SET_BYTES = 4 * 2 ** 30 - 1;
const MAX_FILES = 10_000_000;
const SIDE = { least: 16, most: 64 } as const;

interface Entry extends ImageFile {
  readonly label: number;
}

interface Parts {
  readonly labels: readonly string[];
  readonly train: readonly Entry[];
  readonly test: readonly Entry[];
  readonly notes: readonly DataNote[];
}

/**
 * Loads a folder of images.
 *
 * @throws DistillateError `image-folder-missing`, `image-folder-empty`, `image-folder-classes`, `image-folder-too-large` or
 * `images-unreadable` when no image of a part can be decoded. Single unreadable files are left out and named in the notes.
 */
export async function loadImageFolder(directory: string, options: ImageFolderOptions): Promise<Dataset> {
  const parts = await findImages(directory, options);
  const chosen = options.image ?? (await chooseTarget(parts, options.seed));
  const key = await keyOfFiles(directory, [parts.train, parts.test], ["image-folder", parts.labels, chosen]);
  const path = join(options.cacheDir, `${key}.dset`);
  const cached = await readDatasetFile(path);
  if (cached) return cached;

  const { width, height, channels, fit } = chosen;
  const size = width * height * channels;
  const total = parts.train.length + parts.test.length;
  if (total * size > MAX_SET_BYTES) {
    throw new DistillateError({
      code: "image-folder-too-large",
      message: `${total} images of ${width} x ${height} x ${channels} are ${total * size} bytes, expected at most ${MAX_SET_BYTES}`,
      hint: "Choose smaller images with data.image.width and data.image.height.",
    });
  }
  const unreadable: Unreadable[] = [];
  const decode = async (entries: readonly Entry[], done: number): Promise<Images> => {
    const { kept, ...images } = await decodeFiles(directory, entries, chosen, {
      onUnreadable: (file) => void unreadable.push(file),
      onDone: (count) => options.onEvent?.({ kind: "progress", what: "images decoded", done: done + count, total }),
    });
    return { ...images, classes: Uint16Array.from(kept, ({ label }) => label) };
  };
  const train = await decode(parts.train, 0);
  const test = await decode(parts.test, parts.train.length);
  if (train.count === 0 || test.count === 0) {
    throw new DistillateError({
      code: "images-unreadable",
      message: `none of the ${total} images in ${directory} can be decoded; the first: ${unreadable[0]!.name}: ${unreadable[0]!.reason}`,
      hint: "Check that these files are images.",
    });
  }
  const { labels } = parts;
  const notes: readonly DataNote[] = [
    ...parts.notes,
    ...(options.image ? [] : [targetNote(chosen)]),
    ...(unreadable.length > 0 ? [unreadableNote(unreadable)] : []),
  ];
  const content = { labels, train, test };
  const dataset = { name: "image-folder", ...content, hash: hashDataset(content), notes };
  await writeDatasetFile(path, dataset);
  return dataset;

  function targetNote({ width: w, height: h, channels: c }: ImageTarget): DataNote {
    return {
      code: "image-size-chosen",
      message: `images become ${w} x ${h} x ${c} (${fit}); data.image in the configuration chooses otherwise`,
    };
  }
}

async function findImages(directory: string, { testFraction, seed }: ImageFolderOptions): Promise<Parts> {
  const top = await directoriesIn(directory);
  const notes: DataNote[] = [];
  if (!top.includes("train")) {
    const { labels, entries } = await findClasses(directory, top, notes);
    const split = splitTrainValidation(
      entries.map(({ label }) => label),
      testFraction,
      seed,
    );
    const pick = (indices: Uint32Array): readonly Entry[] => Array.from(indices, (index) => entries[index]!);
    return { labels, train: pick(split.train), test: pick(split.validation), notes };
  }
  if (!top.includes("test")) {
    throw new DistillateError({
      code: "image-folder-missing",
      message: `${directory} has train but no test; it has ${top.join(", ")}`,
      hint: "Add test/CLASS/*, or give the train directory itself to have a test part split off by seed.",
    });
  }
  const [train, test] = [join(directory, "train"), join(directory, "test")];
  const { labels, entries } = await findClasses(train, await directoriesIn(train), notes);
  const testClasses = await directoriesIn(test);
  const unknown = testClasses.filter((name) => !labels.includes(name));
  if (unknown.length > 0) {
    throw new DistillateError({
      code: "image-folder-classes",
      message: `${test} has the classes ${unknown.slice(0, 10).join(", ")}, which ${train} does not have`,
      hint: "Give both parts the same class directories.",
    });
  }
  const absent = labels.filter((name) => !testClasses.includes(name));
  if (absent.length > 0)
    notes.push({ code: "test-classes-missing", message: `the test part has no ${absent.join(", ")}` });
  const testEntries = await filesOf(test, labels, notes, testClasses);
  if (testEntries.length === 0) throw empty(test);
  return { labels, train: entries, test: testEntries, notes };
}

async function findClasses(
  directory: string,
  classes: readonly string[],
  notes: DataNote[],
): Promise<{ readonly labels: readonly string[]; readonly entries: readonly Entry[] }> {
  const labels = [...classes].sort();
  const entries = await filesOf(directory, labels, notes, labels);
  const counts = labels.map((_, label) => entries.filter((entry) => entry.label === label).length);
  const without = labels.filter((_, label) => counts[label] === 0);
  if (labels.length < 2 || without.length > 0) {
    throw new DistillateError({
      code: "image-folder-classes",
      message:
        without.length > 0
          ? `${directory} has no images in ${without.slice(0, 10).join(", ")}`
          : `${directory} has ${labels.length} class directories, expected at least 2`,
      hint: "Put the images of each class into a directory of the class' name: CLASS/*.jpg.",
    });
  }
  return { labels, entries };
}

async function filesOf(
  directory: string,
  labels: readonly string[],
  notes: DataNote[],
  present: readonly string[],
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let others = 0;
  for (const [label, name] of labels.entries()) {
    if (!present.includes(name)) continue;
    const files = await readdir(join(directory, name), { withFileTypes: true });
    const names = files.filter((file) => !file.isDirectory() && !file.name.startsWith(".")).map((file) => file.name);
    const images = names.filter((file) => isImageFile(file)).sort();
    others += files.length - images.length;
    for (const file of images) entries.push({ path: join(directory, name, file), label });
    if (entries.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} images in ${directory}`);
  }
  if (others > 0) {
    notes.push({ code: "files-skipped", message: `${others} entries in ${directory} are no images and were left out` });
  }
  return entries;
}

async function directoriesIn(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
  } catch (error) {
    throw new DistillateError({
      code: "image-folder-missing",
      message: `the directory ${directory} cannot be read`,
      hint: "Give a directory with train/CLASS/* and test/CLASS/*, or with CLASS/*, with --data DIR.",
      cause: error,
    });
  }
}

/** The median of the shorter sides, within what trains in reasonable time; gray only where all are. */
async function chooseTarget({ train }: Parts, seed: number): Promise<ImageTarget> {
  const order = Uint32Array.from(train, (_, index) => index);
  shuffle(order, randomFor(seed, 0x51de));
  const sizes = await Promise.all(Array.from(order.subarray(0, 200), (index) => imageSize(train[index]!.path)));
  const known = sizes.filter((size) => size !== undefined);
  const sides = known.map(({ width, height }) => Math.min(width, height)).sort((a, b) => a - b);
  const median = sides[Math.floor(sides.length / 2)] ?? SIDE.most;
  const side = Math.min(SIDE.most, Math.max(SIDE.least, median));
  const gray = known.length > 0 && known.every(({ channels }) => channels < 3);
  return { width: side, height: side, channels: gray ? 1 : 3, fit: "cover" };
}

function empty(directory: string): DistillateError {
  return new DistillateError({
    code: "image-folder-empty",
    message: `${directory} has no images`,
    hint: "Put the images of each class into a directory of the class' name: CLASS/*.jpg.",
  });
}
