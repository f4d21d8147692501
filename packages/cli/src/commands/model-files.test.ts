import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isModelJson } from "./model-files.ts";

test("a tfjs model is told by its model.json or its directory, apart from recipes and configurations", async () => {
  const directory = await mkdtemp(join(tmpdir(), "files-"));
  await mkdir(join(directory, "model"));
  await writeFile(join(directory, "model", "model.json"), JSON.stringify({ modelTopology: {} }));
  await writeFile(join(directory, "run.json"), JSON.stringify({ name: "run" }));
  const asked = ["model", "model/model.json", "run.json", "missing/model.json", ".", "mnist"];
  const found = await Promise.all(asked.map((path) => isModelJson(join(directory, path))));
  expect(found).toEqual([true, true, false, true, false, false]);
});
