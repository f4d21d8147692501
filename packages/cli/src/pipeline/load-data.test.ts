import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@distillate/train";
import { expect, test } from "vitest";
import { loadData } from "./load-data.ts";

/** A picture of one grey point. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
  "base64",
);

test("unlabelled images come in the size of the others, are named in the notes, and change the hash", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-load-"));
  process.env.DISTILLATE_CACHE = directory;
  for (const [place, count] of [
    ["set/cat", 5],
    ["set/dog", 5],
    ["more/deep", 3],
  ] as const) {
    await mkdir(join(directory, place), { recursive: true });
    for (let i = 0; i < count; i++) await writeFile(join(directory, place, `${i}.png`), PNG);
  }
  const load = (over: object) => {
    const data = { kind: "image-folder", dir: join(directory, "set"), image: { width: 9, height: 8 }, ...over };
    const cnn = { model: { name: "cnn" } };
    return loadData(parseConfig({ name: "t", data, teacher: cnn, student: cnn }));
  };
  const plain = await load({});
  expect(plain.unlabelled).toBeUndefined();
  const more = await load({ unlabelled: join(directory, "more") });
  expect(more.unlabelled).toMatchObject({ count: 3, shape: [8, 9, 3] });
  expect(more.notes.map(({ code }) => code)).toContain("unlabelled-added");
  expect(more.train).toEqual(plain.train);
  expect(more.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(more.hash).not.toBe(plain.hash);
  const [all, few] = [more, await load({ unlabelled: join(directory, "more"), limit: 16 })];
  expect(few.hash).not.toBe(all.hash);
});
