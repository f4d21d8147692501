/**
 * A teacher of which there is what it said: tables of logits, one row an image, as NumPy's .npy or as Parquet.
 *
 * A table in another order than the images teaches nonsense, silently; so rows are counted, or named by ids, columns are put in
 * order by the names of the classes, and what the table says of the validation images must be better than chance.
 */
import { readFile, stat } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type { TableTeacherConfig } from "../../config.ts";
import type { DataNote, Images } from "../../data/dataset.ts";
import { type NpyArray, parseNpy } from "../../data/npy.ts";
import type { Logits } from "../../evaluate.ts";
import { areProbabilities, arrange, columnsOf, labelsAssumed, logsTaken } from "./columns.ts";
import { parseParquetTable, type RawTable } from "./parquet-table.ts";

/** Logits in the order of images and labels, and what was decided on the way. */
export interface ReadTable {
  readonly logits: Logits;
  readonly notes: readonly DataNote[];
}

/** A teacher, read. */
export interface TableTeacher {
  readonly train: ReadTable;
  readonly test: ReadTable;
  readonly files: readonly string[];
  /** Of both files. */
  readonly bytes: number;
}

const MAX_BYTES = 2 ** 31 - 1;

/** What a table is held against. */
export interface TableData {
  readonly labels: readonly string[];
  /** All images that students learn from. */
  readonly images: Images;
  readonly test: Images;
  /** The data set's. */
  readonly hash: string;
}

/**
 * Reads what a teacher said of the images that are learned from, and of the test part.
 *
 * @throws DistillateError `table-data`, `table-unreadable`, `table-invalid`, `npy-invalid`, `teacher-classes`, `table-rows` or
 * `table-ids`.
 */
export async function readTable(
  config: TableTeacherConfig,
  { labels, images, test, hash }: TableData,
): Promise<TableTeacher> {
  if (config.data !== undefined && config.data !== hash) {
    throw new DistillateError({
      code: "table-data",
      message: `the table was made from data with the hash ${config.data}, and these have ${hash}`,
      hint: "Give the data that the teacher was asked about, or ask it about these.",
    });
  }
  const paths = Object.values(config.logits);
  return {
    train: await readPart(config, "train", labels, images),
    test: await readPart(config, "test", labels, test),
    files: paths.map((path) => basename(path)),
    bytes: (await Promise.all(paths.map((path) => stat(path)))).reduce((sum, { size }) => sum + size, 0),
  };
}

async function readPart(
  config: TableTeacherConfig,
  part: "train" | "test",
  labels: readonly string[],
  images: Images,
): Promise<ReadTable> {
  const path = config.logits[part];
  const raw = await readRaw(path, config.ids?.[part], config.labels ?? labels);
  const wrong = raw.values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    const row = Math.floor(wrong / raw.classes);
    throw invalid(
      path,
      `says ${raw.values[wrong]} in row ${row}, column ${wrong % raw.classes}, expected finite numbers`,
    );
  }
  const columns = columnsOf(path, raw.columns ?? config.labels, raw.classes, labels);
  const asProbabilities = areProbabilities(raw.values, raw.classes);
  const arranged = arrange(raw.values, raw.classes, columns, asProbabilities);
  const { rows, notes } = rowsOf(path, raw, images);
  const size = labels.length;
  const values = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) values.set(arranged.values.subarray(row * size, (row + 1) * size), i * size);
  return {
    logits: { classes: size, values },
    notes: [
      ...(raw.columns || config.labels ? [] : [labelsAssumed(path)]),
      ...(asProbabilities ? [logsTaken(path)] : []),
      ...notes,
    ],
  };
}

async function readRaw(path: string, idsPath: string | undefined, labels: readonly string[]): Promise<RawTable> {
  const bytes = await readBytes(path);
  if (extname(path) === ".parquet") return parseParquetTable(bytes, path, labels);
  if (extname(path) !== ".npy") throw invalid(path, "is neither .npy nor .parquet");
  const { shape, values } = parseNpy(bytes, path);
  const [rows = 0, classes = 0] = shape;
  if (shape.length !== 2 || rows === 0 || classes === 0 || !(values instanceof Float64Array)) {
    throw invalid(path, `has the shape [${shape.join(", ")}], expected numbers [images, classes]`);
  }
  const table = { values: Float32Array.from(values), classes };
  if (idsPath === undefined) return table;
  const ids = parseNpy(await readBytes(idsPath), idsPath);
  return { ...table, ids: idsOf(ids, idsPath, rows) };
}

function idsOf({ shape, values }: NpyArray, path: string, rows: number): readonly (number | string)[] {
  if (shape.length === 1 && shape[0] === rows) return [...values];
  throw invalid(path, `has the shape [${shape.join(", ")}], expected [${rows}], one id a row`);
}

/** For each image, its row. */
function rowsOf(
  path: string,
  { ids, values, classes }: RawTable,
  images: Images,
): { readonly rows: Uint32Array; readonly notes: readonly DataNote[] } {
  const count = values.length / classes;
  if (ids === undefined) {
    if (count === images.count) return { rows: Uint32Array.from({ length: count }, (_, i) => i), notes: [] };
    throw new DistillateError({
      code: "table-rows",
      message: `${path} has ${count} rows, expected ${images.count}: one an image, in their order, unlabelled images last`,
      hint: "Write a row for every image, or say which image each row is: teacher.ids, or a column id in Parquet.",
    });
  }
  const byId = new Map(ids.map((id, row) => [id, row]));
  if (byId.size < ids.length) {
    throw badIds(path, `names ${ids.find((id, row) => byId.get(id) !== row)} twice`, "Give each image one row.");
  }
  const named = typeof ids[0] === "string";
  if (named && images.names === undefined) {
    throw badIds(
      path,
      `names its rows by text ("${ids[0]}"), and these images are no files`,
      "Use their places: 0, 1, 2, ...",
    );
  }
  const idAt = (i: number): number | string => (named ? images.names![i]! : i);
  const missing = Array.from({ length: images.count }, (_, i) => idAt(i)).filter((id) => !byId.has(id));
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(", ");
    throw badIds(
      path,
      `has no row for ${missing.length} of ${images.count} images: ${shown}${missing.length > 5 ? ", ..." : ""}`,
      named
        ? `Its first id is "${ids[0]}"; write them as the files are named below the data's directory.`
        : "Add them.",
    );
  }
  const rows = Uint32Array.from({ length: images.count }, (_, i) => byId.get(idAt(i))!);
  const over = count - images.count;
  const note = { code: "table-rows-unused", message: `${over} rows of ${path} are of no image of this part` };
  return { rows, notes: over > 0 ? [note] : [] };
}

async function readBytes(path: string): Promise<Uint8Array> {
  const file = resolve(path);
  const { size } = await stat(file).catch((cause: unknown) => {
    throw new DistillateError({
      code: "table-unreadable",
      message: `${path} cannot be read as a teacher's table (${(cause as NodeJS.ErrnoException).code})`,
      hint: "Give the path of a .npy or .parquet file in teacher.logits.train and teacher.logits.test.",
      cause,
    });
  });
  if (size > MAX_BYTES) throw invalid(path, `has ${size} bytes, expected at most ${MAX_BYTES}`);
  return readFile(file);
}

function badIds(path: string, what: string, hint: string): DistillateError {
  return new DistillateError({ code: "table-ids", message: `${path} ${what}`, hint });
}

function invalid(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "table-invalid",
    message: `${path} ${what}`,
    hint: "Give logits as .npy [images, classes], or as .parquet with a column of each class or one list column logits.",
  });
}
