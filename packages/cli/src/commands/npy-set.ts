import type { DType, Feeds, Graph, Tensor, Value } from "@distillate/export";
import { UsageError } from "../usage.ts";
import type { CalibrationArgs, CalibrationSet } from "./calibration-set.ts";
import { type NpyFile, type NpyValues, openNpy } from "./npy-file.ts";
import { batchOf, mismatch, wholeBatches } from "./sample-batches.ts";

/** Raw inputs, one file an input, all opened and checked. */
export async function npySet({ inputs, ...graph }: Graph, args: CalibrationArgs): Promise<CalibrationSet> {
  const paths = npyPaths(args.data, inputs);
  const files: (readonly [Value, NpyFile])[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map(([, file]) => file.close()));
  };
  try {
    for (const input of inputs) {
      const file = await openNpy(paths.get(input.name)!);
      files.push([input, file]);
      checkShape(input, file, paths.get(input.name)!);
    }
    const [[first, { shape }]] = files as [readonly [Value, NpyFile]];
    const odd = files.find(([, file]) => file.shape[0] !== shape[0]);
    if (odd !== undefined)
      throw mismatch(odd[0].name, `${odd[1].shape[0]} samples`, `${shape[0]} as for input ${first.name}`);
    const count = wholeBatches(Math.min(args.samples, shape[0]!), first);
    const size = batchOf({ ...graph, inputs });
    return { samples: () => npyFeeds(files, count, size), what: "rows", close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A single file is the only input's; with several each is named. */
function npyPaths(data: string, inputs: readonly Value[]): ReadonlyMap<string, string> {
  const names = inputs.map(({ name }) => name);
  const parts = data.split(",");
  if (parts.length === 1 && names.length === 1 && !data.startsWith(`${names[0]}=`)) return new Map([[names[0]!, data]]);
  const paths = new Map(
    parts.map((part) => {
      const name = names.find((known) => part.startsWith(`${known}=`));
      if (name === undefined)
        throw new UsageError(`--data ${part} names no input; the model has ${names.join(", ")}: write INPUT=FILE.npy`);
      return [name, part.slice(name.length + 1)] as const;
    }),
  );
  const missing = names.find((name) => !paths.has(name));
  if (missing !== undefined) throw new UsageError(`--data has no file for input ${missing}; write INPUT=FILE.npy,...`);
  return paths;
}

async function* npyFeeds(
  files: readonly (readonly [Value, NpyFile])[],
  count: number,
  size: number,
): AsyncGenerator<Feeds> {
  for (let start = 0; start < count; start += size) {
    const rows = Math.min(size, count - start);
    const feeds: Record<string, Tensor> = {};
    for (const [{ name, dtype }, file] of files) {
      feeds[name] = toTensor(await file.rows(start, rows), [rows, ...file.shape.slice(1)], dtype, name);
    }
    yield feeds;
  }
}

/** Numbers in the type that the model takes; not copied where they are of it. */
function toTensor(values: NpyValues, shape: readonly number[], dtype: DType, name: string): Tensor {
  const convert = CONVERT[dtype as keyof typeof CONVERT];
  if (convert === undefined) throw mismatch(name, "a .npy file", `${dtype}, which is not read from .npy`);
  const { buffer, byteOffset, byteLength } = convert(values);
  return { dtype, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

const numbers = (values: NpyValues): Exclude<NpyValues, BigInt64Array> =>
  values instanceof BigInt64Array ? Float64Array.from(values, Number) : values;

const CONVERT = {
  float32: (values: NpyValues) => (values instanceof Float32Array ? values : new Float32Array(numbers(values))),
  int32: (values: NpyValues) => (values instanceof Int32Array ? values : new Int32Array(numbers(values))),
  int64: (values: NpyValues) =>
    values instanceof BigInt64Array
      ? values
      : BigInt64Array.from(Array.from(values, (value) => BigInt(Math.trunc(value)))),
} as const satisfies Partial<Record<DType, (values: NpyValues) => NpyValues>>;

function checkShape({ name, shape }: Value, file: NpyFile, path: string): void {
  const fits =
    shape.length === file.shape.length &&
    shape.every((side, i) => i === 0 || typeof side === "string" || side === file.shape[i]);
  if (!fits)
    throw mismatch(
      name,
      `shape [${file.shape.join(", ")}] in ${path}`,
      `[${["samples", ...shape.slice(1)].join(", ")}]`,
    );
}
