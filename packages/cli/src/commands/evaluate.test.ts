/** A foreign file with an input of its own name, measured on four idx files. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeModel, inferShapes } from "@distillate/export";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { evaluate } from "./evaluate.ts";

const COUNT = 20;
let place: string;

/** Each image is dark but for one pixel, whose place is its class. */
async function writeIdx(part: string, wrong: number): Promise<void> {
  const images = new Uint8Array(16 + COUNT * 784);
  const labels = new Uint8Array(8 + COUNT);
  new DataView(images.buffer).setUint32(0, 0x803);
  for (const [i, size] of [COUNT, 28, 28].entries()) new DataView(images.buffer).setUint32(4 * (i + 1), size);
  new DataView(labels.buffer).setUint32(0, 0x801);
  new DataView(labels.buffer).setUint32(4, COUNT);
  for (let i = 0; i < COUNT; i++) {
    images[16 + i * 784 + (i % 10)] = 255;
    labels[8 + i] = i < wrong ? (i + 1) % 10 : i % 10;
  }
  await writeFile(join(place, `${part}-images-idx3-ubyte`), images);
  await writeFile(join(place, `${part}-labels-idx1-ubyte`), labels);
}

/** Class scores are the first pixels. */
async function writeModel(name: string, classes: number, batch: string | number): Promise<string> {
  const weight = new Float32Array(784 * classes);
  for (let i = 0; i < classes; i++) weight[i * classes + i] = 1;
  const node = (op: string, output: string, inputs: readonly string[]) => ({
    op,
    domain: "",
    name: output,
    inputs,
    outputs: [output],
    attrs: {},
  });
  const typed = inferShapes({
    name,
    opset: 17,
    inputs: [{ name: "pixels:0", dtype: "float32", shape: [batch, 1, 28, 28] }],
    outputs: [],
    nodes: [node("Flatten", "flat", ["pixels:0"]), node("MatMul", "scores", ["flat", "weight"])],
    constants: new Map([["weight", { dtype: "float32", shape: [784, classes], bytes: new Uint8Array(weight.buffer) }]]),
    values: new Map(),
  });
  const path = join(place, name);
  await writeFile(
    path,
    encodeModel({ ...typed, outputs: [typed.values.get("scores")!] }, { producer: "someone", producerVersion: "1" }),
  );
  return path;
}

const run = (args: Readonly<Record<string, unknown>>): Promise<unknown> =>
  evaluate.run!({ args } as unknown as Parameters<NonNullable<typeof evaluate.run>>[0]) as Promise<unknown>;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "distillate-evaluate-"));
  await writeIdx("train", 0);
  await writeIdx("t10k", 3);
});
afterEach(() => {
  vi.restoreAllMocks();
});

test.each(["batch", 1, 10])("accuracy of a model that takes %s images at a time", async (batch) => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const recipe = await writeModel(`batch-${batch}.onnx`, 10, batch);
  expect(await run({ recipe, data: place, scale: "0.00392", json: true })).toBe(0);
  const [row] = JSON.parse(String(written.mock.calls[0]![0])) as [{ samples: number; accuracy: number }];
  expect(row).toMatchObject({ samples: COUNT, accuracy: 17 / COUNT });
});

test("what does not fit is refused by name", async () => {
  const ten = await writeModel("ten.onnx", 10, "batch");
  await expect(run({ recipe: ten, data: place })).rejects.toMatchObject({ code: "preprocess-missing" });
  await expect(run({ recipe: ten, scale: "1" })).rejects.toThrow(/needs --data/);
  await expect(run({ recipe: ten, data: place, mean: "1,2" })).rejects.toThrow(
    /--mean is 1,2, expected one number or 1/,
  );
  const five = await writeModel("five.onnx", 5, "batch");
  await expect(run({ recipe: five, data: place, scale: "1" })).rejects.toMatchObject({ code: "labels-mismatch" });
  const three = await writeModel("three.onnx", 10, 3);
  await expect(run({ recipe: three, data: place, scale: "1" })).rejects.toMatchObject({ code: "batch-mismatch" });
});
