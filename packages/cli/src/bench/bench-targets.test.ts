import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { networksBeside, targetsOf, teacherMissing } from "./bench-targets.ts";

const FILES = [
  { model: "fp32", path: "a.onnx" },
  { model: "int8", path: "b.onnx" },
];
const NETWORKS = [
  { model: "teacher", path: "teacher" },
  { model: "student", path: "student" },
];
const ids = (targets: string, threads = "1"): readonly string[] =>
  targetsOf(FILES, NETWORKS, { targets, threads }).map(({ id }) => id);

test("every file in every runtime that was asked for, and the networks in tfjs", () => {
  expect(ids("node,tfjs")).toEqual([
    "fp32, onnxruntime-node",
    "int8, onnxruntime-node",
    "teacher, tfjs",
    "student, tfjs",
  ]);
  expect(ids("teacher")).toEqual(["teacher, tfjs"]);
  expect(new Set(ids("node,wasm,chromium,webgpu,tfjs", "1,2")).size).toBe(14);
});

test("threads multiply where there are threads: neither WebGPU nor WebAssembly in Node has more than one", () => {
  expect(ids("chromium", "1,2")).toEqual([
    "fp32, WebAssembly in Chromium",
    "fp32, WebAssembly in Chromium, 2 threads",
    "int8, WebAssembly in Chromium",
    "int8, WebAssembly in Chromium, 2 threads",
  ]);
  expect(ids("wasm,webgpu", "1,2")).toHaveLength(4);
});

test("what is unknown is named", () => {
  expect(() => ids("node,cuda")).toThrow("--targets cuda is unknown");
  expect(() => ids("node", "two")).toThrow("--threads is two");
});

test("a bundle on its own has no networks beside it", async () => {
  expect(await networksBeside("/nowhere/bundle", 1)).toEqual([]);
  expect(await teacherMissing("/nowhere/bundle")).toBeUndefined();
});

test("a teacher that is none of the run's own networks is named with the reason", async () => {
  const run = await mkdtemp(join(tmpdir(), "distillate-bench-"));
  await mkdir(join(run, "teacher"));
  const saying = async (content: object): Promise<string | undefined> => {
    await writeFile(join(run, "teacher", "teacher.json"), JSON.stringify(content));
    return teacherMissing(join(run, "bundle"));
  };
  expect(await saying({ mean: [] })).toContain("the mean of several");
  expect(await saying({ file: "x.onnx" })).toContain("brought from outside");
});
