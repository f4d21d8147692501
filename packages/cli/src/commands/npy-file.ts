/**
 * Reads NumPy's `.npy` files a few rows at a time: magic, version, a header that is a Python literal, then the values in C order.
 * Source: numpy.lib.format. Numbers come little-endian or as bytes; the first axis counts samples.
 */
import { type FileHandle, open } from "node:fs/promises";
import { DistillateError } from "@distillate/bundle";

/** What a file from anywhere may ask for. */
const MAX = { header: 1 << 16, rank: 8, elements: 2 ** 40 } as const;

const ARRAYS = {
  "<f4": Float32Array,
  "<f8": Float64Array,
  "|u1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<i4": Int32Array,
  "<i8": BigInt64Array,
} as const;

/** The element types that are read, as NumPy writes them. */
export type NpyType = keyof typeof ARRAYS;

/** Rows as they are in the file. */
export type NpyValues = InstanceType<(typeof ARRAYS)[NpyType]>;

/** What the header says. */
export interface NpyHeader {
  readonly type: NpyType;
  readonly shape: readonly number[];
  /** Bytes before the first value. */
  readonly start: number;
}

/** An open file. */
export interface NpyFile extends NpyHeader {
  /** Some rows; fewer only at the end. */
  rows(first: number, count: number): Promise<NpyValues>;
  close(): Promise<void>;
}

/**
 * Opens a file and holds its size against its header.
 *
 * @throws DistillateError `data-missing` or `npy-invalid`.
 */
export async function openNpy(path: string): Promise<NpyFile> {
  const file = await open(path).catch((cause: unknown) => {
    throw new DistillateError({
      code: "data-missing",
      message: `${path} cannot be read`,
      hint: "Give the path of a .npy file, as numpy.save writes it.",
      cause,
    });
  });
  try {
    const header = parseNpyHeader(await readAt(file, 0, MAX.header), path);
    const { size } = await file.stat();
    const bytes = header.start + header.shape.reduce((product, side) => product * side, bytesOf(header.type));
    if (size !== bytes)
      throw invalid(path, `${size} bytes, expected ${bytes} for ${header.type} [${header.shape.join(", ")}]`);
    const row = header.shape.slice(1).reduce((product, side) => product * side, 1);
    return {
      ...header,
      async rows(first, count) {
        const length = Math.max(0, Math.min(count, header.shape[0]! - first)) * row;
        const found = await readAt(
          file,
          header.start + first * row * bytesOf(header.type),
          length * bytesOf(header.type),
        );
        return new ARRAYS[header.type](found.buffer as ArrayBuffer, 0, length) as NpyValues;
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Reads a header from a file's first bytes.
 *
 * @throws DistillateError `npy-invalid` for anything that isn't plain numbers in C order with at least one axis.
 */
export function parseNpyHeader(bytes: Uint8Array, path: string): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 12 || !"\x93NUMPY".split("").every((character, i) => bytes[i] === character.charCodeAt(0)))
    throw invalid(path, "no .npy header");
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw invalid(path, `format version ${version}, expected 1 to 3`);
  const [at, length] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (at + length > bytes.byteLength) throw invalid(path, `a header of ${length} bytes, which the file does not hold`);
  const text = new TextDecoder("latin1").decode(bytes.subarray(at, at + length));
  const type = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const sides = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (type === undefined || order === undefined || sides === undefined)
    throw invalid(path, "a header that is cut or made up");
  if (!Object.hasOwn(ARRAYS, type))
    throw invalid(path, `elements of type ${type}, expected ${Object.keys(ARRAYS).join(", ")}`);
  if (order === "True") throw invalid(path, "its values in Fortran order");
  const shape = sides
    .split(",")
    .filter((side) => side.trim() !== "")
    .map(Number);
  const elements = shape.reduce((product, side) => product * side, 1);
  if (shape.length < 1 || shape.length > MAX.rank || !(elements <= MAX.elements) || !shape.every(Number.isSafeInteger))
    throw invalid(path, `shape (${sides})`);
  return { type: type as NpyType, shape, start: at + length };
}

function bytesOf(type: NpyType): number {
  return ARRAYS[type].BYTES_PER_ELEMENT;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

function invalid(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "npy-invalid",
    message: `${path} has ${what}`,
    hint: "Write it with numpy.save: plain numbers, C order, samples along the first axis.",
  });
}
