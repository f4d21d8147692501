/** The Node entry: every place a bundle can lie in, encoded pictures, and a machine where the native engine is missing. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { load } from "@distillate/runtime-edge/node";
import { zipSync } from "fflate";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { type FixtureBundle, fixtureBundles, writeBundle } from "../fixtures/bundles.ts";

const PICTURE = { width: 28, height: 28, data: Uint8Array.from({ length: 28 * 28 }, (_, i) => (i * 31) % 251) };

let directory: string;
let bundle: FixtureBundle;

beforeAll(async () => {
  bundle = (await fixtureBundles()).find(({ name }) => name === "cnn")!;
  directory = await mkdtemp(join(tmpdir(), "distillate-node-"));
  await writeBundle(bundle, directory);
  await writeFile(join(directory, "cnn.zip"), zipSync(Object.fromEntries(bundle.files)));
});
afterEach(() => void vi.doUnmock("onnxruntime-node"));

test("directory, manifest, archive, address of a file and bytes are one model", async () => {
  const sources = [
    directory,
    join(directory, "manifest.json"),
    join(directory, "cnn.zip"),
    pathToFileURL(directory),
    zipSync(Object.fromEntries(bundle.files)),
  ];
  const scores = new Set<number>();
  for (const source of sources) {
    const model = await load(source, { variant: "fp32" });
    expect(model.backend).toBe("node");
    scores.add((await model.run(PICTURE)).score);
    await model.dispose();
  }
  expect(scores.size).toBe(1);
});

test("what is not there, and a picture that is none, are named", async () => {
  await expect(load(join(directory, "nowhere"))).rejects.toMatchObject({ code: "file-missing" });
  const model = await load(directory);
  await expect(model.run(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: "input-unsupported" });
  await expect(model.run("text" as never)).rejects.toMatchObject({
    hint: expect.stringContaining("text-classification"),
  });
  expect((await model.run(PICTURE)).label).toMatch(/^\d$/);
  await model.dispose();
});

test("without the native engine WebAssembly serves, and the plan says why", async () => {
  vi.doMock("onnxruntime-node", () => {
    throw new Error("not installed");
  });
  const model = await load(directory, { variant: "fp32" });
  expect(model.backend).toBe("wasm");
  expect(model.plan.refused).toContainEqual(
    expect.objectContaining({ backend: "node", reason: expect.stringContaining("node cannot run this model") }),
  );
  expect((await model.selfTest()).ok).toBe(true);
  await model.dispose();
});
