/**
 * A decoded data set in one file, so that a folder of images is decoded once: "DSET", version (u32 LE = 2), length of the header
 * (u32 LE), header (JSON), then for each part its pixels and its classes (u16 LE). The header carries the set's hash, which
 * is computed again on reading.
 */
import { readFile } from "node:fs/promises";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "../atomic-write.ts";
import type { Dataset, Images } from "./dataset.ts";
import { hashDataset } from "./hash-dataset.ts";

const MAGIC = "DSET";
const PREFIX = 12;

const VERSION = 2;

interface Header extends Omit<Dataset, "train" | "test" | "unlabelled"> {
  readonly shape: Images["shape"];
  readonly counts: readonly [train: number, test: number];
  readonly names: readonly [train?: Images["names"] | null, test?: Images["names"] | null];
}

/** Writes a data set; what is unlabelled is a set of its own. */
export async function writeDatasetFile(
  path: string,
  { train, test, ...rest }: Omit<Dataset, "unlabelled">,
): Promise<void> {
  const counts = [train.count, test.count] as const;
  const header: Header = { ...rest, shape: train.shape, counts, names: [train.names, test.names] };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX);
  prefix.write(MAGIC, "latin1");
  prefix.writeUInt32LE(VERSION, 4);
  prefix.writeUInt32LE(text.length, 8);
  const arrays = [train, test].flatMap(({ pixels, classes }) => [pixels, bytesOf(classes)]);
  await writeFileAtomic(path, [prefix, text, ...arrays]);
}

/**
 * Reads a data set; `undefined` when there is none.
 *
 * @throws DistillateError `data-cache-corrupted` when the file isn't what was written.
 */
export async function readDatasetFile(path: string): Promise<Dataset | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if (bytes.length < PREFIX || bytes.toString("latin1", 0, 4) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
    throw corrupted(path, `it does not begin as a data set of version ${VERSION}`);
  }
  let offset = PREFIX + bytes.readUInt32LE(8);
  const { shape, counts, names, ...rest } = parseHeader(bytes.toString("utf8", PREFIX, offset), path);
  const size = shape.reduce((product, length) => product * length, 1);
  const expected = offset + (counts[0] + counts[1]) * (size + 2);
  if (bytes.length !== expected) throw corrupted(path, `it has ${bytes.length} bytes, expected ${expected}`);
  const take = (part: 0 | 1): Images => {
    const count = counts[part];
    const pixels = new Uint8Array(bytes.buffer, bytes.byteOffset + offset, count * size);
    offset += count * size;
    const classes = Uint16Array.from({ length: count }, (_, i) => bytes.readUInt16LE(offset + 2 * i));
    offset += count * 2;
    const called = names[part];
    return { count, shape, pixels, classes, ...(called && { names: called }) };
  };
  const dataset: Dataset = { ...rest, train: take(0), test: take(1) };
  const hash = hashDataset(dataset);
  if (hash !== rest.hash) throw corrupted(path, `its content has SHA-256 ${hash}, expected ${rest.hash}`);
  return dataset;
}

function parseHeader(text: string, path: string): Header {
  try {
    return JSON.parse(text) as Header;
  } catch (error) {
    throw corrupted(path, `its header is no JSON (${(error as Error).message})`);
  }
}

function bytesOf(classes: Uint16Array): Uint8Array {
  const bytes = Buffer.alloc(classes.length * 2);
  for (const [i, label] of classes.entries()) bytes.writeUInt16LE(label, 2 * i);
  return bytes;
}

function corrupted(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "data-cache-corrupted",
    message: `the decoded data set ${path} cannot be used: ${what}`,
    hint: "Delete this file and run again: the images are decoded anew.",
  });
}
