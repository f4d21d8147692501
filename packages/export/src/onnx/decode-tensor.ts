/** Constants of an ONNX file: packed, number by number, or in a file beside it. Source: onnx.proto, TensorProto. */
import { DistillateError } from "@distillate/bundle";
import type { DType, Tensor } from "../graph.ts";
import { ELEMENT_BYTES } from "../tensor.ts";
import { DATA_TYPES } from "./messages.ts";
import { many, type ReadMessage, readMessage, text, unsupported } from "./read-message.ts";

/** Files beside a model, by the path that the model gives them. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** What a file from anywhere may ask for. */
const MAX = { rank: 8, dimension: 2 ** 31, files: 1000 } as const;

/**
 * Lists the files beside a model that hold weights of it, relative to its directory, each once. A path that leaves the directory is
 * refused, so that reading what is listed is safe as far as no link leads out.
 *
 * @throws DistillateError `onnx-invalid` or `external-data-invalid`.
 */
export function externalFilesOf(model: Uint8Array): readonly string[] {
  const graph = readMessage(model, "Model").graph as ReadMessage | undefined;
  const inAttributes = many(graph?.node).flatMap(({ attribute }) => many(attribute).flatMap(({ t }) => many(t && [t])));
  const tensors = [...many(graph?.initializer), ...inAttributes];
  const files = new Set(
    tensors
      .filter((tensor) => tensor.externalData !== undefined)
      .map((tensor) => placeOf(tensor, text(tensor.name)).location),
  );
  if (files.size > MAX.files) throw unsupported(`weights in ${files.size} files, more than ${MAX.files}`);
  return [...files];
}

/** Reads one constant. `where` says for errors whose it is. */
export function readTensor(message: ReadMessage, where: string, external: ExternalFiles): Tensor {
  const dtype = dtypeOf(message.dataType, where);
  const shape = (message.dims ?? []) as readonly number[];
  if (
    shape.length > MAX.rank ||
    shape.some((size) => !Number.isSafeInteger(size) || size < 0 || size >= MAX.dimension)
  ) {
    throw unsupported(`constant ${where} of shape ${shape.slice(0, 12).join(" x ")}`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const expected = elements * ELEMENT_BYTES[dtype];
  const bytes =
    message.externalData !== undefined
      ? externalBytes(message, where, expected, external)
      : ((message.rawData as Uint8Array | undefined) ?? unpacked(message, dtype));
  if (bytes.byteLength === expected) return { dtype, shape, bytes };
  throw new DistillateError({
    code: "onnx-invalid",
    message: `constant ${where} has ${bytes.byteLength} bytes, expected ${expected} for ${dtype} of shape ${shape.join(" x ") || "()"}`,
    hint: "Check that the file is whole; export it again.",
  });
}

/** The element type behind ONNX' number for it. */
export function dtypeOf(code: unknown, where: string): DType {
  const found = Object.entries(DATA_TYPES).find(([, type]) => type === code);
  if (found) return found[0] as DType;
  throw unsupported(`${where} with elements of type ${String(code ?? "unknown")}`);
}

/** Values written number by number: floats in one field, 64-bit integers in another, all smaller ones in a third. */
function unpacked(message: ReadMessage, dtype: DType): Uint8Array {
  const numbers = (message.floatData ?? message.int64Data ?? message.int32Data ?? []) as readonly number[];
  const bytes = new Uint8Array(numbers.length * ELEMENT_BYTES[dtype]);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of numbers.entries()) {
    if (dtype === "float32") view.setFloat32(i * 4, value, true);
    else if (dtype === "int64") view.setBigInt64(i * 8, BigInt(value), true);
    else if (ELEMENT_BYTES[dtype] === 4) view.setInt32(i * 4, value, true);
    else if (ELEMENT_BYTES[dtype] === 2) view.setInt16(i * 2, value, true);
    else view.setInt8(i, value);
  }
  return bytes;
}

interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}

/** Where a constant's bytes are: a path under the model's own directory. */
function placeOf(message: ReadMessage, where: string): Place {
  const entries = new Map(many(message.externalData).map(({ key, value }) => [text(key), text(value)] as const));
  const location = entries.get("location") ?? "";
  const parts = location.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || /[\\:\0]/.test(location)) {
    throw invalid(where, `at ${JSON.stringify(location.slice(0, 200))}`, "a path below the model's directory");
  }
  const number = (key: string): number | undefined => {
    const digits = entries.get(key);
    if (digits === undefined) return undefined;
    const value = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
    if (!Number.isSafeInteger(value))
      throw invalid(where, `at ${key} ${digits.slice(0, 40)}`, "a whole number of bytes");
    return value;
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

function externalBytes(message: ReadMessage, where: string, expected: number, external: ExternalFiles): Uint8Array {
  const { location, offset, length = expected } = placeOf(message, where);
  const file = external.get(location);
  if (file === undefined) {
    throw new DistillateError({
      code: "external-data-missing",
      message: `the weights of ${where} are in ${location}, which is not there`,
      hint: "Give that file too, in the same directory as the model.",
    });
  }
  if (length !== expected) throw invalid(where, `of ${length} bytes`, `${expected} for its shape`);
  if (offset + length > file.byteLength)
    throw invalid(
      where,
      `at ${offset} to ${offset + length} of ${location}`,
      `a place within its ${file.byteLength} bytes`,
    );
  return file.subarray(offset, offset + length);
}

function invalid(where: string, found: string, expected: string): DistillateError {
  return new DistillateError({
    code: "external-data-invalid",
    message: `constant ${where} lies in another file ${found}, expected ${expected}`,
    hint: "Do not trust this file; export the model again, with its weights inside.",
  });
}
