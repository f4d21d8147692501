/**
 * NumPy's .npy: one array a file. Numbers become doubles, texts strings; what is no plain array of either is refused.
 *
 *   "\x93NUMPY", major, minor, length of the header (u16 LE, u32 LE from version 2 on), header, then the values
 *   header = {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
 *
 * NumPy Enhancement Proposal 1 and `numpy.lib.format`, versions 1.0 to 3.0. Python objects, which run code when they are
 * unpacked, are never read.
 */
import { DistillateError } from "@distillate/bundle";

/** An array as read, in C order. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: Float64Array | readonly string[];
}

const MAX_HEADER = 65_536;
const MAX_RANK = 8;
const MAX_VALUES = 2 ** 31 - 1;
const MAX_TEXT = 4096;

/** Reads one number at an offset; `little` says which byte comes first. */
type Read = (view: DataView, offset: number, little: boolean) => number;

const NUMBERS: Readonly<Record<string, Read>> = {
  f2: (view, offset, little) => half(view.getUint16(offset, little)),
  f4: (view, offset, little) => view.getFloat32(offset, little),
  f8: (view, offset, little) => view.getFloat64(offset, little),
  i1: (view, offset) => view.getInt8(offset),
  i2: (view, offset, little) => view.getInt16(offset, little),
  i4: (view, offset, little) => view.getInt32(offset, little),
  i8: (view, offset, little) => Number(view.getBigInt64(offset, little)),
  u1: (view, offset) => view.getUint8(offset),
  u2: (view, offset, little) => view.getUint16(offset, little),
  u4: (view, offset, little) => view.getUint32(offset, little),
  u8: (view, offset, little) => Number(view.getBigUint64(offset, little)),
};

/**
 * Reads an array from the bytes of a file.
 *
 * @param path - For messages.
 * @throws DistillateError `npy-invalid`, saying what was found and expected.
 */
export function parseNpy(bytes: Uint8Array, path: string): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 10 || Buffer.from(bytes.subarray(0, 6)).toString("latin1") !== "\x93NUMPY") {
    throw invalid(path, "does not begin as a NumPy array");
  }
  const major = bytes[6]!;
  if (major < 1 || major > 3) throw invalid(path, `has version ${major}, expected 1 to 3`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) throw invalid(path, `has ${bytes.length} bytes, which is not even its prefix`);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || start + length > bytes.length) {
    throw invalid(path, `announces a header of ${length} bytes, and has ${bytes.length - start}`);
  }
  const header = Buffer.from(bytes.subarray(start, start + length)).toString(major === 3 ? "utf8" : "latin1");
  const { order, type, size, fortran, shape } = parseHeader(header, path);
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count > MAX_VALUES) throw invalid(path, `announces ${shape.join(" x ")} values, expected at most ${MAX_VALUES}`);
  const width = type === "U" ? 4 * size : size;
  const found = bytes.length - start - length;
  if (found !== count * width) {
    throw invalid(path, `has ${found} bytes of values, expected ${count * width} for ${shape.join(" x ")}`);
  }
  const little = order !== ">";
  const at = (i: number): number => start + length + width * (fortran ? transposed(i, shape) : i);
  if (type === "U") {
    return { shape, values: Array.from({ length: count }, (_, i) => text(view, at(i), size, little, path)) };
  }
  const read = NUMBERS[`${type}${size}`]!;
  return { shape, values: Float64Array.from({ length: count }, (_, i) => read(view, at(i), little)) };
}

function parseHeader(
  header: string,
  path: string,
): {
  readonly order: string;
  readonly type: string;
  readonly size: number;
  readonly fortran: boolean;
  readonly shape: readonly number[];
} {
  const [, order, type, digits] = /'descr': '([<>|=]?)([a-zA-Z])(\d{0,6})'/.exec(header) ?? [];
  const [, fortran] = /'fortran_order': (True|False)/.exec(header) ?? [];
  const [, dims] = /'shape': \(([\d, ]*)\)/.exec(header) ?? [];
  if (fortran === undefined || dims === undefined) {
    throw invalid(
      path,
      `has the header ${JSON.stringify(header.trim().slice(0, 200))}, expected descr, fortran_order and shape`,
    );
  }
  const size = Number(digits);
  const known = type === "U" ? size <= MAX_TEXT : `${type}${size}` in NUMBERS;
  if (type === undefined || !known) {
    const [, descr] = /'descr': ([^:]{0,60})/.exec(header) ?? [];
    throw invalid(path, `has values of type ${descr ?? "unknown"}, expected numbers or texts`);
  }
  const shape = dims.split(",").flatMap((dim) => (dim.trim() === "" ? [] : [Number(dim)]));
  if (shape.length > MAX_RANK) throw invalid(path, `has ${shape.length} axes, expected at most ${MAX_RANK}`);
  return { order: order!, type, size, fortran: fortran === "True", shape };
}

/** Where value `i` in C order stands in Fortran's, the first axis running fastest. */
function transposed(i: number, shape: readonly number[]): number {
  let rest = i;
  let place = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const index = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
    place += index * shape.slice(0, axis).reduce((product, dim) => product * dim, 1);
  }
  return place;
}

/** UCS-4, filled up with zeros. */
function text(view: DataView, offset: number, size: number, little: boolean, path: string): string {
  let found = "";
  for (let i = 0; i < size; i++) {
    const point = view.getUint32(offset + 4 * i, little);
    if (point === 0) break;
    if (point > 0x10ffff) throw invalid(path, `has the character number ${point}, expected at most ${0x10ffff}`);
    found += String.fromCodePoint(point);
  }
  return found;
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function invalid(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "npy-invalid",
    message: `${path} ${what}`,
    hint: "Write it with numpy.save: a float array [images, classes] of logits, or one id an image.",
  });
}
