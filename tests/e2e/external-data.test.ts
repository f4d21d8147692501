/** Models with weights in files beside them, on the command line: read, and refused where a link leads out of their directory. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnx as schema } from "onnx-proto";
import { beforeAll, expect, test } from "vitest";
import { distillate } from "../fixtures/command-line.ts";

let directory: string;
let outside: string;

/** Both of what it says. */
async function inspect(): Promise<{ readonly status: number | null; readonly text: string }> {
  const { status, out, err } = await distillate(["inspect", join(directory, "model.onnx")]);
  return { status, text: out + err };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "distillate-external-"));
  outside = join(await mkdtemp(join(tmpdir(), "distillate-outside-")), "w.bin");
  await mkdir(join(directory, "weights"));
  await writeFile(outside, new Uint8Array(16));
  const value = (name: string): object => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 1 }, { dimValue: 2 }] } } },
  });
  const externalData = [{ key: "location", value: "weights/w.bin" }];
  const model = schema.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "beside",
      input: [value("x")],
      output: [value("y")],
      initializer: [{ name: "w", dataType: 1, dims: [2, 2], dataLocation: 1, externalData }],
      node: [{ opType: "MatMul", name: "y", input: ["x", "w"], output: ["y"] }],
    },
  });
  await writeFile(join(directory, "model.onnx"), schema.ModelProto.encode(model).finish());
});

test("weights beside a model are read; where they are missing, cut off or elsewhere, that is said", async () => {
  const weights = join(directory, "weights/w.bin");
  expect(await inspect()).toMatchObject({
    status: 1,
    text: expect.stringMatching(/external-data-missing: .*weights\/w\.bin/),
  });
  await writeFile(weights, new Uint8Array(15));
  expect((await inspect()).text).toContain("error external-data-invalid");
  await writeFile(weights, new Uint8Array(16));
  expect(await inspect()).toMatchObject({
    status: 0,
    text: expect.stringMatching(/MatMul\(x, w float32\[2,2\]\)[\s\S]*parameters +4/),
  });
  await rm(weights);
  await symlink(outside, weights);
  expect(await inspect()).toMatchObject({
    status: 1,
    text: expect.stringContaining("leads out of the model's directory"),
  });
});
