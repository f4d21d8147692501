/** A table of logits in Parquet: a column of each class under its name, or one list column `logits`; `id` says which image. */
import * as zlib from "node:zlib";
import { DistillateError } from "@distillate/bundle";
import { type Compressors, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";

/** A table as it stands in its file. */
export interface RawTable {
  /** Row after row. */
  readonly values: Float32Array;
  readonly classes: number;
  /** The columns' names, where the file has some. */
  readonly columns?: readonly string[];
  /** Which image each row is: its place, or the name of its file. */
  readonly ids?: readonly (number | string)[];
}

const MAX_VALUES = 2 ** 31 - 1;

/** Not in the types of the oldest Node that works. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: typeof zlib.brotliDecompressSync };

/** What Node unpacks by itself, beside Snappy; Zstandard only from Node 22.15 on. */
const COMPRESSORS: Compressors = {
  GZIP: (bytes, length) => zlib.gunzipSync(bytes, { maxOutputLength: length }),
  BROTLI: (bytes, length) => zlib.brotliDecompressSync(bytes, { maxOutputLength: length }),
  ...(zstdDecompressSync && {
    ZSTD: (bytes: Uint8Array, length: number) => zstdDecompressSync(bytes, { maxOutputLength: length }),
  }),
};

/**
 * Reads a table from the bytes of a file.
 *
 * @param labels - The classes whose columns are taken, in this order, where there is no column `logits`.
 * @throws DistillateError `table-invalid`.
 */
export async function parseParquetTable(bytes: Uint8Array, path: string, labels: readonly string[]): Promise<RawTable> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  try {
    const metadata = await parquetMetadataAsync(file);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const asList = names.includes("logits");
    const missing = asList ? [] : labels.filter((label) => !names.includes(label));
    if (missing.length > 0) {
      throw invalid(
        path,
        `has neither a column logits nor one of each class: ${missing.slice(0, 10).join(", ")} missing`,
      );
    }
    const columns = [...(asList ? ["logits"] : labels), ...(names.includes("id") ? ["id"] : [])];
    const rows = await parquetReadObjects({ file, metadata, columns, compressors: COMPRESSORS });
    const said = rows.map((row): readonly unknown[] =>
      asList ? listOf(row.logits) : labels.map((label) => row[label]),
    );
    const classes = said[0]?.length ?? 0;
    const odd = said.findIndex((row) => row.length !== classes);
    if (odd >= 0) throw invalid(path, `has ${said[odd]!.length} numbers in row ${odd}, and ${classes} in the first`);
    if (classes === 0 || said.length * classes > MAX_VALUES) {
      throw invalid(
        path,
        `has ${said.length} rows of ${classes} numbers, expected some, and at most ${MAX_VALUES} in all`,
      );
    }
    const values = new Float32Array(said.length * classes);
    for (const [i, row] of said.entries()) values.set(row.map(numberOf), i * classes);
    return {
      values,
      classes,
      ...(!asList && { columns: labels }),
      ...(names.includes("id") && { ids: rows.map(({ id }) => (typeof id === "string" ? id : numberOf(id))) }),
    };
  } catch (error) {
    if (error instanceof DistillateError) throw error;
    throw invalid(path, `cannot be read as Parquet (${(error as Error).message})`, error);
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<unknown>) : [];
}

/** NaN for what is none: the table's own check names the place. */
function numberOf(value: unknown): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
}

function invalid(path: string, what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "table-invalid",
    message: `${path} ${what}`,
    hint: "Write a column of each class under its name, or one list column logits, compressed with Snappy, GZIP or not.",
    cause,
  });
}
