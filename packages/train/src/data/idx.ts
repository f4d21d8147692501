/**
 * The idx format of MNIST and its successors: two zero bytes, the element type, the rank, the sizes (32-bit, big-endian),
 * then the data. Plain or gzipped. Source: Y. LeCun's description beside the MNIST files.
 */
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DistillateError } from "@distillate/bundle";
import type { Images } from "./dataset.ts";

const UNSIGNED_BYTE = 0x08;
/** Far above any idx set that fits the memory of a machine that trains on it. */
const MAX_BYTES = 4 * 2 ** 30 - 1;

/** An idx file of unsigned bytes. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Reads one idx or idx.gz file of unsigned bytes.
 *
 * @throws DistillateError `idx-missing`, `idx-magic`, `idx-type`, `idx-truncated`, `idx-trailing`, `idx-too-large` or
 * `idx-gzip`, naming the file.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  return parseIdx(await readBytes(path), path);
}

/** Reads idx bytes; `path` is for messages. Throws as {@link readIdx}. */
export function parseIdx(bytes: Uint8Array, path: string): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    const start = Buffer.from(bytes.subarray(0, 4)).toString("hex") || "nothing";
    throw fail(
      "idx-magic",
      `${path} begins with ${start}, expected 0000 08 and the rank`,
      "Is this an idx file? Download it again.",
    );
  }
  const [type, rank] = [view.getUint8(2), view.getUint8(3)];
  if (type !== UNSIGNED_BYTE) {
    throw fail(
      "idx-type",
      `${path} holds elements of type 0x${type.toString(16)}, expected 0x08 (unsigned bytes)`,
      "Write it as unsigned bytes.",
    );
  }
  if (rank < 1 || rank > 4) {
    throw fail(
      "idx-magic",
      `${path} has rank ${rank}, expected 1 (labels), 3 or 4 (images)`,
      "Check which file this is.",
    );
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw truncated(path, bytes.length, header);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  if (size > MAX_BYTES) {
    throw fail(
      "idx-too-large",
      `${path} announces ${shape.join(" x ")} bytes, expected at most ${MAX_BYTES}`,
      "Check the file, or split the set.",
    );
  }
  if (bytes.length < header + size) throw truncated(path, bytes.length, header + size);
  if (bytes.length > header + size) {
    throw fail(
      "idx-trailing",
      `${path} has ${bytes.length} bytes, expected ${header + size} for ${shape.join(" x ")}`,
      "Download it again; it may be two files in one.",
    );
  }
  return { shape, data: bytes.subarray(header) };
}

/**
 * Reads images and their labels and checks that they belong together.
 *
 * @param classes - How many there are; a label from this on is an error.
 * @throws DistillateError as {@link readIdx}, and `idx-shape`, `idx-counts` or `idx-label`.
 */
export async function readIdxImages(imagesPath: string, labelsPath: string, classes: number): Promise<Images> {
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  const [count = 0, height = 0, width = 0, channels = 1] = images.shape;
  if (images.shape.length < 3 || (channels !== 1 && channels !== 3)) {
    throw fail(
      "idx-shape",
      `${imagesPath} has shape ${images.shape.join(" x ")}, expected count x height x width, or that x 3`,
      "Are images and labels swapped?",
    );
  }
  if (labels.shape.length !== 1) {
    throw fail(
      "idx-shape",
      `${labelsPath} has shape ${labels.shape.join(" x ")}, expected one label an image`,
      "Are images and labels swapped?",
    );
  }
  if (count !== labels.data.length) {
    throw fail(
      "idx-counts",
      `${imagesPath} has ${count} images but ${labelsPath} has ${labels.data.length} labels`,
      "Take both files from the same set.",
    );
  }
  if (count === 0 || height === 0 || width === 0) {
    throw fail(
      "idx-shape",
      `${imagesPath} has shape ${images.shape.join(" x ")}, expected at least one pixel`,
      "The set is empty; check the file.",
    );
  }
  const wrong = labels.data.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw fail(
      "idx-label",
      `${labelsPath} has label ${labels.data[wrong]} at position ${wrong}, expected 0 to ${classes - 1}`,
      "Check the labels, or name all classes.",
    );
  }
  return { count, shape: [height, width, channels], pixels: images.data, classes: Uint16Array.from(labels.data) };
}

async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES)
      throw fail("idx-too-large", `${path} has ${size} bytes, expected at most ${MAX_BYTES}`, "Split the set.");
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw fail(
      "idx-missing",
      `${path} is not there`,
      "Give the directory that has the idx files with --data DIR.",
      error,
    );
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    throw fail(
      "idx-gzip",
      `${path} cannot be unpacked: ${(error as Error).message}`,
      `Download ${basename(path)} again.`,
      error,
    );
  }
}

function truncated(path: string, found: number, expected: number): DistillateError {
  return fail(
    "idx-truncated",
    `${path} has ${found} bytes, expected ${expected}`,
    "The file is cut short; download it again.",
  );
}

function fail(code: string, message: string, hint: string, cause?: unknown): DistillateError {
  return new DistillateError({ code, message, hint, cause });
}
