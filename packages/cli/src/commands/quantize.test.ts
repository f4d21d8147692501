/** A foreign file of two inputs with names of their own and a batch of its own, quantised on raw inputs. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeModel, encodeModel, type Graph, inferShapes, type Node, type Tensor } from "@distillate/export";
import { beforeAll, expect, test } from "vitest";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { quantize } from "./quantize.ts";

const BATCH = 2;
const floats = (shape: readonly number[], seed: number): Tensor => {
  const length = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length }, (_, i) => Math.sin(seed + 12.9898 * i));
  return { dtype: "float32", shape, bytes: new Uint8Array(values.buffer) };
};
const node = (op: string, name: string, inputs: readonly string[]): Node => ({
  op,
  domain: "",
  name,
  inputs,
  outputs: [name],
  attrs: {},
});

/** words -> table -> mean of two words' rows, plus a picture's convolution, pooled: four classes. */
const foreign = ((): Graph => {
  const typed = inferShapes({
    name: "foreign",
    opset: 17,
    inputs: [
      { name: "picture:0", dtype: "float32", shape: [BATCH, 3, 5, 5] },
      { name: "word", dtype: "int64", shape: [BATCH] },
    ],
    outputs: [],
    nodes: [
      node("Conv", "conv", ["picture:0", "kernel", "bias"]),
      node("GlobalAveragePool", "pool", ["conv"]),
      node("Flatten", "seen", ["pool"]),
      node("Gather", "read", ["table", "word"]),
      node("Add", "both", ["seen", "read"]),
      node("Gemm", "classes", ["both", "weight"]),
    ],
    constants: new Map([
      ["kernel", floats([8, 3, 3, 3], 1)],
      ["bias", floats([8], 2)],
      ["table", floats([10, 8], 3)],
      ["weight", floats([8, 4], 4)],
    ]),
    values: new Map(),
  });
  return { ...typed, outputs: [typed.values.get("classes")!] };
})();

let place: string;
const at = (name: string): string => join(place, name);

async function writeNpy(name: string, type: string, shape: readonly number[], bytes: Uint8Array): Promise<void> {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }\n`;
  await writeFile(
    at(name),
    Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from("NUMPY"),
      Buffer.from([1, 0, header.length, 0]),
      Buffer.from(header),
      bytes,
    ]),
  );
}

const run = async (args: Readonly<Record<string, string>>): Promise<unknown> =>
  quantize.run!({ args: { samples: "512", quiet: true, recipe: at("model.onnx"), ...args } } as unknown as Parameters<
    NonNullable<typeof quantize.run>
  >[0]);
const data = (pictures = "pictures.npy"): string => `picture:0=${at(pictures)},word=${at("words.npy")}`;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "distillate-quantize-"));
  await writeFile(at("model.onnx"), encodeModel(foreign, { producer: "someone", producerVersion: "2" }));
  await writeNpy("pictures.npy", "<f4", [5, 3, 5, 5], floats([5, 3, 5, 5], 9).bytes);
  await writeNpy("words.npy", "|u1", [5], Uint8Array.of(0, 9, 3, 4, 5));
  await writeNpy("small.npy", "<f4", [5, 3, 4, 4], floats([5, 3, 4, 4], 9).bytes);
  await writeNpy(
    "wild.npy",
    "<f4",
    [5, 3, 5, 5],
    new Uint8Array(new Float32Array(375).fill(Number.NaN, 200, 201).buffer),
  );
  await writeNpy("empty.npy", "<f4", [0, 3, 5, 5], new Uint8Array());
  await writeNpy("silent.npy", "|u1", [0], new Uint8Array());
  await writeNpy("few.npy", "<f4", [1, 3, 5, 5], floats([1, 3, 5, 5], 9).bytes);
});

test("its inputs keep their names and types, and what comes out is close", async () => {
  expect(await run({ data: data(), out: at("out.onnx") })).toBe(0);
  const { graph, metadata } = decodeModel(await readFile(at("out.onnx")));
  expect(graph.inputs).toEqual(foreign.inputs);
  expect(metadata.producer).toBe("someone");
  expect(graph.nodes.filter(({ op }) => op === "QuantizeLinear")).toHaveLength(6);
  const words: Tensor = { dtype: "int64", shape: [BATCH], bytes: new Uint8Array(BigInt64Array.of(0n, 9n).buffer) };
  // The first samples that it was calibrated on.
  const feeds = { "picture:0": floats([BATCH, 3, 5, 5], 9), word: words };
  const [expected, found] = await Promise.all(
    ["model.onnx", "out.onnx"].map(async (name) => {
      const model = await nodeRunner(await readFile(at(name)));
      const { classes } = await model.run(feeds);
      await model.dispose();
      return new Float32Array(classes!.bytes.buffer, classes!.bytes.byteOffset, BATCH * 4);
    }),
  );
  for (const [i, value] of expected!.entries()) expect(Math.abs(value - found![i]!)).toBeLessThan(0.1);
});

test.each([
  [
    "another picture",
    { data: () => data("small.npy") },
    /shape \[5, 3, 4, 4\] in .*small.npy, expected \[samples, 3, 5, 5\]/,
  ],
  [
    "fewer samples than another input",
    { data: () => data("few.npy") },
    /word has 5 samples, expected 1 as for input picture:0/,
  ],
  ["fewer samples than its batch", { data, samples: "1" }, /1 samples, expected at least 2/],
  ["one input alone", { data: () => `word=${at("words.npy")}` }, /no file for input picture:0/],
  [
    "an input it does not have",
    { data: () => `x=${at("words.npy")}` },
    /names no input; the model has picture:0, word/,
  ],
  ["a file that is not there", { data: () => data("none.npy") }, /none.npy cannot be read/],
  ["images without a word on their preparation", { data: () => place }, /does not say how its images are prepared/],
  ["a value that is none", { data: () => data("wild.npy") }, /tensor picture:0 is NaN in calibration samples 2 to 3/],
  [
    "a set without samples",
    { data: () => `picture:0=${at("empty.npy")},word=${at("silent.npy")}` },
    /there are no calibration samples, expected at least one/,
  ],
  ["no samples", { data, samples: "0" }, /--samples is 0/],
  ["an unknown calibrator", { data, calibrator: "best" }, /--calibrator best is unknown/],
])("refused: %s", async (_name, { data: source, ...args }, message) => {
  await expect(run({ ...args, data: source(), out: at("never.onnx") })).rejects.toThrow(message);
  await expect(readFile(at("never.onnx"))).rejects.toThrow("ENOENT");
});

test("rules from a file, and flags above them", async () => {
  await writeFile(
    at("rules.json"),
    JSON.stringify({ preset: "int8-7bit", calibrator: "mse", rules: [{ op: "Gemm", precision: "float" }] }),
  );
  await run({ data: data(), out: at("rules.onnx"), rules: at("rules.json"), preset: "int8" });
  const { constants } = decodeModel(await readFile(at("rules.onnx"))).graph;
  const integers = [...constants.values()].filter(({ dtype }) => dtype === "int8");
  expect(integers.map(({ shape }) => shape)).toEqual([[8, 3, 3, 3]]);
  expect(Math.max(...new Int8Array(integers[0]!.bytes).map(Math.abs))).toBe(127);
  await writeFile(at("rules.json"), "{");
  await expect(run({ data: data(), rules: at("rules.json") })).rejects.toThrow(/is no JSON file/);
});
