/** Quantisation on the command line: the fine-tuning stage of a run, and files with aids, limits and searches. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { distillate } from "../fixtures/command-line.ts";

const SMALL =
  "data.limit=1500,data.validation=200,seeds=[1],teacher.training.epochs=1,teacher.model.dense=16,student.training.epochs=2";
const AWARE = `${SMALL},student.quantizeAware={"epochs":2,"learningRate":0.0005}`;

const run = (out: string, set: string, killWhenSaid?: RegExp): ReturnType<typeof distillate> =>
  distillate(
    ["run", "mnist", "--engine", "wasm", "--out", out, "--set", set],
    killWhenSaid && { signal: "SIGKILL", whenSaid: killWhenSaid },
  );
const hashOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

let directory: string;
let model: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "distillate-e2e-quantize-"));
  model = join(directory, "export/student.fp32.onnx");
  const first = await run(directory, SMALL);
  expect(first.err).toBe("");
  expect(first.status).toBe(0);
}, 120_000);

test("quantize-aware: nothing is trained again but the student that is shipped, whose learnt ranges are in the file", async () => {
  const aware = await run(directory, AWARE);
  expect(aware.err).toBe("");
  expect(aware.status).toBe(0);
  expect(aware.out).toMatch(/✓ student\/seed-1 \(already there\)/);
  expect(aware.out).toMatch(/✓ quantize-aware in/);
  const report = JSON.parse(await readFile(join(directory, "report.json"), "utf8"));
  expect(report.quantizeAware).toMatchObject({ ranges: expect.any(Number), validationAccuracy: expect.any(Number) });
  const reasons = report.quantization.tensors.map(({ reason }: { reason: string }) => reason);
  expect(reasons.filter((reason: string) => reason === "given")).toHaveLength(report.quantizeAware.ranges);
  expect(reasons).not.toContain("measured");

  // Killed in the middle, it goes on and ends with the same bytes.
  const bytes = await hashOf(join(directory, "quantize-aware/weights.bin"));
  const other = await mkdtemp(join(tmpdir(), "distillate-e2e-quantize-"));
  await run(other, AWARE, /quantize-aware +epoch 1\/2/);
  const resumed = await run(other, AWARE);
  expect(resumed.status).toBe(0);
  expect(await hashOf(join(other, "quantize-aware/weights.bin"))).toBe(bytes);
});

test("quantize-aware: of several temperatures the one whose rounded student does best is kept, and the others are named", async () => {
  const tried = await run(
    directory,
    `${SMALL},student.quantizeAware={"epochs":1,"learningRate":0.0005,"temperature":[0.5,8]}`,
  );
  expect(tried.err).toBe("");
  const { quantizeAware } = JSON.parse(await readFile(join(directory, "report.json"), "utf8"));
  const shares: number[] = quantizeAware.tried.map(
    ({ validationAccuracy }: { validationAccuracy: number }) => validationAccuracy,
  );
  expect(quantizeAware.tried.map(({ temperature }: { temperature: number }) => temperature)).toEqual([0.5, 8]);
  expect(quantizeAware.validationAccuracy).toBe(Math.max(...shares));
  expect(await readFile(join(directory, "report.md"), "utf8")).toMatch(
    /Temperature (0\.5|8) was kept of those tried: /,
  );
  // Each began with the same weights: tried alone, the one that was kept ends with the same bytes.
  const kept = quantizeAware.tried[shares.indexOf(quantizeAware.validationAccuracy)].temperature;
  const bytes = await hashOf(join(directory, "quantize-aware/weights.bin"));
  await run(directory, `${SMALL},student.quantizeAware={"epochs":1,"learningRate":0.0005,"temperature":${kept}}`);
  expect(await hashOf(join(directory, "quantize-aware/weights.bin"))).toBe(bytes);
});

test("quantize of a file: stored weights need no data; aids, a limit and a search tell what they did", async () => {
  const out = join(directory, "out.onnx");
  const stored = await distillate(["quantize", model, "--preset", "int8-weights", "-o", out]);
  expect(stored.err).toBe("");
  expect(stored.out).toMatch(/times smaller\), \d+ tensors quantised\n/);

  const aids = await distillate(["quantize", model, "--data", "mnist", "--aids", "all", "--debug", "-o", out]);
  expect(aids.status).toBe(0);
  expect(aids.out).toMatch(/^tensor +op +SQNR dB +cosine +largest difference$/m);
  expect(aids.out).toMatch(/what the outputs gain when one layer stays float:\n\S+ +[+-]\d+\.\d\d dB/);
  expect(await readFile(join(directory, "out.svg"), "utf8")).toMatch(/^<svg [\s\S]*<\/svg>$/);

  const limited = await distillate(["quantize", model, "--data", "mnist", "--max-drop", "100", "-o", out]);
  expect(limited.out).toMatch(/with no layer in float it loses -?\d+\.\d\d points of accuracy on \d+ held-out images/);
  const found = await distillate([
    "quantize",
    model,
    "--data",
    "mnist",
    "--preset",
    "auto",
    "--max-drop",
    "100",
    "--json",
    "-o",
    out,
  ]);
  expect(JSON.parse(found.out)).toMatchObject({
    ok: true,
    preset: "int8",
    notes: [expect.stringMatching(/^int8 loses/)],
  });

  const wrong = await distillate(["quantize", model, "--aids", "magic", "--data", "mnist"]);
  expect(wrong.err).toMatch(/--aids magic is unknown; there are all, equalize/);
  expect(wrong.status).toBe(2);
});

test("verify of two files compares them tensor by tensor", async () => {
  const int8 = join(directory, "quantize/student.int8.onnx");
  const compared = await distillate(["verify", model, model]);
  expect(compared.out).toMatch(/the same class on 100\.00 %/);
  expect(compared.out).toMatch(/logits +Gemm +equal +1\.00000/);
  const apart = JSON.parse((await distillate(["verify", model, int8, "--data", "mnist", "--json"])).out);
  expect(apart.outputs[0].sqnr).toBeGreaterThan(5);
  expect(apart.agreement).toBeGreaterThan(0.5);
});
