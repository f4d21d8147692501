/** Tables of logits as NumPy and Arrow write them (tables.py), read and put in the order of images and classes. */
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Images, nextUnit, randomFor, readTable, type TableTeacherConfig } from "@distillate/train";
import { describe, expect, test } from "vitest";

const at = (name: string): string => join(import.meta.dirname, "tables", name);
const { labels, logits, names } = JSON.parse(readFileSync(at("tables.json"), "utf8")) as {
  labels: string[];
  logits: number[][];
  names: string[];
};
const images: Images = {
  count: 7,
  shape: [1, 1, 1],
  pixels: new Uint8Array(7),
  classes: new Uint16Array(7),
  names,
};
const data = { labels, images, test: images, hash: "h" };
const both = (name: string): TableTeacherConfig["logits"] => ({ train: at(name), test: at(name) });
const read = (over: Partial<TableTeacherConfig> & Pick<TableTeacherConfig, "logits">, also: object = {}) =>
  readTable(over, { ...data, ...also });

test.each([
  "f2.npy",
  "f4.npy",
  "f8.npy",
  "f4-big.npy",
  "f4-fortran.npy",
  "columns.parquet",
  "gzip.parquet",
  "list.parquet",
  "ids.parquet",
])("%s says what was written", async (name) => {
  const { train } = await read({ logits: both(name) });
  expect([...train.logits.values]).toEqual(logits.flat());
  expect(train.notes.map(({ code }) => code)).toEqual(/npy|list/.test(name) ? ["teacher-labels-assumed"] : []);
});

test("rows go to their images by place or by name, columns to their classes by name", async () => {
  const { order } = JSON.parse(readFileSync(at("tables.json"), "utf8")) as { order: number[] };
  const expected = names.map((_, i) => logits[order.indexOf(i)]!);
  for (const ids of ["i8.npy", "u1.npy", "text.npy"]) {
    const { train } = await read({ logits: both("f4.npy"), ids: both(ids) });
    expect([...train.logits.values]).toEqual(expected.flat());
  }
  const { train } = await read({ logits: both("f4.npy"), labels: ["dog", "eel", "cat"] });
  expect([...train.logits.values]).toEqual(logits.flatMap(([dog, eel, cat]) => [cat, dog, eel]));
});

describe("one clear error for", () => {
  const fewer = { images: { ...images, count: 6 } };
  const unnamed = { images: { ...images, names: undefined } };
  test.each([
    ["a row too many", { logits: both("f4.npy") }, fewer, "table-rows", /has 7 rows, expected 6/],
    [
      "an image without a row",
      { logits: both("ids.parquet") },
      { images: { ...images, names: ["a", ...names.slice(1)] } },
      "table-ids",
      /no row for 1 of 7 images: a/,
    ],
    [
      "names where images have none",
      { logits: both("f4.npy"), ids: both("text.npy") },
      unnamed,
      "table-ids",
      /these images are no files/,
    ],
    ["other data", { logits: both("f4.npy"), data: "x" }, {}, "table-data", /hash x, and these have h/],
    [
      "a class that nobody names",
      { logits: both("columns.parquet") },
      { labels: ["cat", "dog", "fox"] },
      "table-invalid",
      /fox missing/,
    ],
    [
      "other classes",
      { logits: both("f4.npy"), labels: ["a", "b", "c"] },
      {},
      "teacher-classes",
      /lacks cat, dog, eel/,
    ],
    ["too few classes", { logits: both("f4.npy") }, { labels: ["cat", "dog"] }, "teacher-classes", /3 numbers/],
    ["a gap", { logits: both("gap.parquet") }, {}, "table-invalid", /NaN in row 0, column 2/],
    ["one axis", { logits: both("i8.npy") }, {}, "table-invalid", /the shape \[7\]/],
    ["complex numbers", { logits: both("complex.npy") }, {}, "npy-invalid", /<c8/],
    ["Python objects", { logits: both("object.npy") }, {}, "npy-invalid", /\|O/],
    ["no file", { logits: both("none.npy") }, {}, "table-unreadable", /none\.npy/],
    ["another kind of file", { logits: both("tables.json") }, {}, "table-invalid", /neither .npy nor .parquet/],
  ])("%s", async (_what, config, also, code, message) => {
    await expect(read(config, also)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test("whatever a Parquet file holds, a table or one clear error", async () => {
  const good = readFileSync(at("ids.parquet"));
  const path = join(await mkdtemp(join(tmpdir(), "distillate-tables-")), "damaged.parquet");
  for (let run = 0; run < 300; run++) {
    const random = randomFor(3, run);
    const bytes = Uint8Array.from(good);
    for (let change = 0; change <= run % 8; change++) {
      bytes[Math.floor(nextUnit(random) * bytes.length)] = Math.floor(nextUnit(random) * 256);
    }
    await writeFile(path, bytes);
    await read({ logits: { train: path, test: at("f4.npy") } }).catch((error: unknown) => {
      expect((error as { code?: string }).code, `run ${run}: ${error}`).toMatch(/^(table|teacher)-/);
    });
  }
});
