/** The reader under 20,000 damaged files: it says what is wrong in an error of ours, in bounded time, and never anything else. */
import { DistillateError } from "@distillate/bundle";
import { onnx as schema } from "onnx-proto";
import { expect, test } from "vitest";
import { int, ints, text } from "../attr.ts";
import type { Graph, Node } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { floatTensor, intTensor } from "../tensor.ts";
import { decodeModel } from "./decode.ts";
import { externalFilesOf } from "./decode-tensor.ts";
import { encodeModel } from "./encode.ts";

/** A model with something of everything: attributes of each kind, integers, shapes that are computed, an LSTM, metadata. */
const RICH: Graph = (() => {
  const add = (op: string, name: string, inputs: string[], attrs: Node["attrs"] = {}, outputs = [name]): Node => ({
    op,
    domain: "",
    name,
    inputs,
    outputs,
    attrs,
  });
  const floats = (...shape: number[]) =>
    floatTensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
      shape,
    );
  const output = { name: "y", dtype: "float32", shape: [4, "batch", 3] } as const;
  return inferShapes({
    name: "rich",
    opset: 17,
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 2, 6, 6] }],
    outputs: [output],
    nodes: [
      add("Conv", "conv", ["x", "w"], {
        kernel_shape: ints([3, 3]),
        auto_pad: text("NOTSET"),
        pads: ints([1, 1, 1, 1]),
      }),
      add("Shape", "shape", ["conv"]),
      add("Gather", "n", ["shape", "zero"], { axis: int(0) }),
      add("Concat", "target", ["four", "n", "rest"], { axis: int(0) }),
      add("Reshape", "steps", ["conv", "target"]),
      add(
        "LSTM",
        "lstm",
        ["steps", "W", "R"],
        { hidden_size: int(3), activations: { kind: "strings", value: ["Sigmoid", "Tanh", "Tanh"] } },
        ["all"],
      ),
      add("Squeeze", "y", ["all", "one"]),
    ],
    constants: new Map([
      ["w", floats(4, 2, 3, 3)],
      ["zero", intTensor([0])],
      ["one", intTensor([1])],
      ["four", intTensor([4])],
      ["rest", intTensor([36])],
      ["W", floats(1, 12, 36)],
      ["R", floats(1, 12, 3)],
    ]),
    values: new Map(),
  });
})();

/** The same written by another encoder, its weights in another file. */
function withWeightsBeside(bytes: Uint8Array): Uint8Array {
  const model = schema.ModelProto.decode(bytes);
  let offset = 0;
  for (const tensor of model.graph!.initializer!) {
    const length = tensor.rawData!.byteLength;
    tensor.externalData = Object.entries({
      location: "weights/all.bin",
      offset: String(offset),
      length: String(length),
    }).map(([key, value]) => schema.StringStringEntryProto.create({ key, value }));
    tensor.dataLocation = 1;
    tensor.rawData = new Uint8Array(0);
    offset += length;
  }
  return schema.ModelProto.encode(model).finish();
}

const ONE_FILE = encodeModel(RICH, { producer: "test", producerVersion: "1", properties: { labels: '["a"]' } });
// A copy: what comes of Node's Buffer is a view, its slices too.
const BESIDE = new Uint8Array(withWeightsBeside(ONE_FILE));
const WEIGHTS = new Map([["weights/all.bin", new Uint8Array(10_000)]]);

/** Numbers below `below` that depend on the seed alone (xorshift32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A damaged file: bytes changed, cut out, doubled, or lengths blown up. */
function damage(source: Uint8Array, seed: number): Uint8Array {
  const random = randomFrom(seed);
  let bytes = source.slice();
  for (let edits = 1 + random(4); edits > 0 && bytes.length > 0; edits--) {
    const at = random(bytes.length);
    const length = random(40);
    const kind = random(6);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes[at]! ^= 1 << random(8);
    else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3) bytes = Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + length));
    else if (kind === 4) bytes = Uint8Array.of(...bytes.subarray(0, at + length), ...bytes.subarray(at));
    else bytes.fill(0xff, at, at + 1 + random(9));
  }
  return bytes;
}

test("20,000 damaged files", { timeout: 120_000 }, () => {
  const count = { whole: 0, refused: 0 };
  for (let seed = 1; seed <= 20_000; seed++) {
    const bytes = damage(seed % 2 === 0 ? ONE_FILE : BESIDE, seed);
    try {
      externalFilesOf(bytes);
      decodeModel(bytes, WEIGHTS);
      count.whole++;
    } catch (error) {
      if (!(error instanceof DistillateError)) throw new Error(`seed ${seed}: ${(error as Error).stack}`);
      count.refused++;
    }
  }
  // Changed weights and names leave a sound model; both must have been met for this to say something.
  expect(count.whole).toBeGreaterThan(1000);
  expect(count.refused).toBeGreaterThan(10_000);
});

test("weights in another file are read from where they are", () => {
  expect(externalFilesOf(ONE_FILE)).toEqual([]);
  expect(externalFilesOf(BESIDE)).toEqual(["weights/all.bin"]);
  const all = new Uint8Array([...RICH.constants.values()].flatMap(({ bytes }) => [...bytes]));
  const { graph } = decodeModel(BESIDE, new Map([["weights/all.bin", all]]));
  expect([...graph.constants]).toEqual([...RICH.constants]);
});

test.each([
  ["/etc/passwd", /lies in another file at "\/etc\/passwd", expected a path below/],
  ["../secret", /path below/],
  ["a/../../b", /path below/],
  ["a\\..\\b", /path below/],
  ["C:x", /path below/],
  ["", /path below/],
  ["a\0b", /path below/],
])("a path out of the model's directory is refused: %j", (location, message) => {
  const model = schema.ModelProto.decode(BESIDE);
  model.graph!.initializer![0]!.externalData![0]!.value = location;
  const bytes = schema.ModelProto.encode(model).finish();
  expect(() => externalFilesOf(bytes)).toThrow(message);
  expect(() => decodeModel(bytes, WEIGHTS)).toThrow(message);
});

test.each([
  ["offset", "99999", "at 99999 to 100287 of weights/all.bin, expected a place within its 10000 bytes"],
  ["offset", "-4", "at offset -4, expected a whole number of bytes"],
  ["length", "8", "of 8 bytes, expected 288 for its shape"],
  ["length", "1e3", "at length 1e3, expected a whole number of bytes"],
])("%s %s is refused", (key, value, message) => {
  const model = schema.ModelProto.decode(BESIDE);
  model.graph!.initializer![0]!.externalData!.find((entry) => entry.key === key)!.value = value;
  const bytes = schema.ModelProto.encode(model).finish();
  expect(() => decodeModel(bytes, WEIGHTS)).toThrow(message);
});

test("a file that is not there is named", () => {
  expect(() => decodeModel(BESIDE)).toThrow("the weights of w are in weights/all.bin, which is not there");
});
