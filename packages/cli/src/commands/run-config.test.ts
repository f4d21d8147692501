import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configOf } from "./run-config.ts";

test("--set takes several values, and values that are lists", async () => {
  const config = await configOf({
    recipe: "mnist",
    set: "seeds=[4,5,6],student.model.filters=[3,7],distill.kd.temperature=2",
  });
  expect(config.seeds).toEqual([4, 5, 6]);
  expect(config.student.model).toMatchObject({ filters: [3, 7] });
  expect(config.distill.kd?.temperature).toBe(2);
});

test("--data alone: idx files are told from a folder of images, and the name is the directory's", async () => {
  const directory = await mkdtemp(join(tmpdir(), "my photos-"));
  const images = await configOf({ data: directory });
  expect(images.data).toMatchObject({ kind: "image-folder", dir: directory });
  expect(images.name).toMatch(/^my-photos-/);
  await writeFile(join(directory, "train-images-idx3-ubyte"), "");
  expect((await configOf({ data: directory })).data.kind).toBe("idx");
});

test.each(["distill.kd.temperature", "__proto__.polluted=1", "distill.typo=1"])("--set %s is refused", async (set) => {
  await expect(configOf({ recipe: "mnist", set })).rejects.toThrow();
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
