/** A model from anywhere is read from its own directory only, whole or not at all. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTfjsModel } from "./read-tfjs-model.ts";

const topology = { node: [] };
const spec = { name: "w", shape: [3], dtype: "float32" };

async function modelOf(json: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "model-"));
  await writeFile(join(directory, "model.json"), typeof json === "string" ? json : JSON.stringify(json));
  await writeFile(join(directory, "a.bin"), Uint8Array.of(1, 2, 3, 4, 5));
  await writeFile(join(directory, "b.bin"), Uint8Array.of(6, 7, 8, 9, 10, 11, 12));
  await mkdir(join(directory, "inner"));
  return directory;
}

const manifest = (...paths: unknown[]): unknown => ({
  modelTopology: topology,
  signature: { inputs: {} },
  weightsManifest: [{ paths, weights: [spec] }],
});

test("shards are joined; the directory is as good as its model.json", async () => {
  const directory = await modelOf(manifest("a.bin", "b.bin"));
  const found = await readTfjsModel(directory);
  expect(found).toEqual(await readTfjsModel(join(directory, "model.json")));
  expect(found).toEqual({
    modelTopology: topology,
    signature: { inputs: {} },
    weightSpecs: [spec],
    weightData: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
  });
});

const CASES: { readonly [what: string]: readonly [json: unknown, code: string, message: RegExp] } = {
  "no JSON": ["{", "model-invalid", /is no JSON/],
  null: ["null", "model-invalid", /no modelTopology/],
  "no manifest": [{ modelTopology: topology }, "model-invalid", /no modelTopology with a weightsManifest/],
  "a group without paths": [
    { modelTopology: topology, weightsManifest: [{}] },
    "model-invalid",
    /lacks paths or weights/,
  ],
  "a file that is not there": [manifest("a.bin", "c.bin"), "checkpoint-missing", /c\.bin is not there/],
  "a directory": [manifest("inner"), "model-invalid", /inner, which is a directory/],
  "the directory itself": [manifest("."), "model-invalid", /expected a file beside it/],
  "its parent": [manifest(".."), "model-invalid", /expected a file beside it/],
  "a way out": [manifest("../a.bin"), "model-invalid", /expected a file beside it/],
  "a way out of Windows": [manifest("..\\a.bin"), "model-invalid", /expected a file beside it/],
  "an absolute path": [manifest("/etc/passwd"), "model-invalid", /expected a file beside it/],
  "a path that is no text": [manifest(7), "model-invalid", /expected a file beside it/],
};

test.each(Object.keys(CASES))("%s is refused", async (what) => {
  const [json, code, message] = CASES[what]!;
  const directory = await modelOf(json);
  await expect(readTfjsModel(directory)).rejects.toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});
