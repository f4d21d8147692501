/**
 * ONNX' own cases of each op (Debian's package libonnx-testdata): what the reader takes is checked, inferred, written and read again,
 * and sent through the passes, and onnxruntime still says the same. What is not taken is named, with the reason, in
 * docs/results/onnx-cases.txt.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDistillateError } from "@distillate/bundle";
import { decodeModel, encodeModel, type Graph, inferShapes, runPasses, verify } from "@distillate/export";
import { onnx as schema } from "onnx-proto";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";

const ROOT = "/usr/share/libonnx-testdata/data";
const RESULTS = resolve(import.meta.dirname, "../../docs/results/onnx-cases.txt");
const FAMILIES = ["node", "pytorch-converted", "pytorch-operator", "simple"];

/** Types that onnxruntime's JavaScript interface takes, by ONNX' number. */
const TYPES: { readonly [code: number]: readonly [Tensor.Type, new (buffer: ArrayBuffer) => Tensor.DataType] } = {
  1: ["float32", Float32Array],
  2: ["uint8", Uint8Array],
  3: ["int8", Int8Array],
  4: ["uint16", Uint16Array],
  5: ["int16", Int16Array],
  6: ["int32", Int32Array],
  7: ["int64", BigInt64Array],
  9: ["bool", Uint8Array],
};

type Feeds = { readonly [name: string]: Tensor };
type Results = { readonly [name: string]: { readonly data: Tensor.DataType } };

function readTensor(path: string): Tensor | undefined {
  const { dataType, dims, rawData, floatData, int64Data, int32Data } = schema.TensorProto.decode(readFileSync(path));
  const [type, Values] = TYPES[dataType!] ?? [];
  if (type === undefined || Values === undefined) return undefined;
  const bytes = Uint8Array.from(rawData ?? []).buffer;
  const listed = floatData?.length
    ? Float32Array.from(floatData)
    : int64Data?.length
      ? BigInt64Array.from(int64Data, (value) => BigInt(value.toString()))
      : Int32Array.from(int32Data ?? []);
  const data = bytes.byteLength > 0 || listed.length === 0 ? new Values(bytes) : listed;
  return new Tensor(type, data as Float32Array, dims!.map(Number));
}

async function run(onnx: Uint8Array, feeds: Feeds): Promise<Results> {
  const session = await InferenceSession.create(onnx, { graphOptimizationLevel: "disabled", logSeverityLevel: 4 });
  const found = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, { data }]));
}

function isClose(found: Tensor.DataType, expected: Tensor.DataType, tolerance: number): boolean {
  if (found.length !== expected.length) return false;
  return Array.from(expected as Float32Array, Number).every((value, i) => {
    const other = Number((found as Float32Array)[i]);
    const same = Object.is(other, value) || other === value || (Number.isNaN(other) && Number.isNaN(value));
    return same || Math.abs(other - value) <= tolerance * Math.max(1, Math.abs(value));
  });
}

/** What came of a case: undefined when all held, a reason when it was left out; throws on a fault. */
async function check(directory: string): Promise<string | undefined> {
  const bytes = readFileSync(join(directory, "model.onnx"));
  let graph: Graph;
  try {
    ({ graph } = decodeModel(bytes));
  } catch (error) {
    if (!isDistillateError(error)) throw error;
    const op = /is (\S+), which is not in the table/.exec(error.message)?.[1];
    const [, found = error.message] = /the ONNX file has (.*)/.exec(error.message) ?? [];
    return op === undefined
      ? found.replace(/^(value|constant) \S+/, "a value").replace(/^attribute.*/, "a subgraph")
      : `op ${op}`;
  }
  const set = join(directory, "test_data_set_0");
  const tensors = graph.inputs.map((_, i) => readTensor(join(set, `input_${i}.pb`)));
  if (tensors.includes(undefined)) return "inputs of a type that the test does not read";
  const feeds = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, tensors[i]!]));
  let expected: Results;
  try {
    expected = await run(bytes, feeds);
  } catch {
    return "onnxruntime does not run it";
  }
  if (directory.includes("dropout") && !directory.includes("default") && /training/.test(directory)) return "random";
  const metadata = { producer: "test", producerVersion: "0" };
  const again = decodeModel(encodeModel(graph, metadata)).graph;
  if (again.nodes.length !== graph.nodes.length) throw new Error("nodes are lost");
  const { graph: optimized } = runPasses(graph);
  const typed = inferShapes(optimized);
  verify(typed);
  for (const [what, candidate, tolerance] of [
    ["written again", graph, 0],
    ["after the passes", typed, 1e-5],
  ] as const) {
    if (candidate.nodes.length === 0) continue;
    const found = await run(encodeModel(candidate, metadata), feeds);
    for (const [name, { data }] of Object.entries(expected))
      if (!isClose(found[name]!.data, data, tolerance)) throw new Error(`${name} differs, ${what}`);
  }
  return undefined;
}

describe.skipIf(!existsSync(ROOT))("ONNX' cases (needs Debian's libonnx-testdata)", () => {
  test("what the table holds survives reading, writing and the passes; what is left out is named", {
    timeout: 120_000,
  }, async () => {
    const faults: string[] = [];
    const skipped = new Map<string, string[]>();
    let passed = 0;
    for (const family of FAMILIES) {
      for (const name of readdirSync(join(ROOT, family)).sort()) {
        try {
          const reason = await check(join(ROOT, family, name));
          if (reason === undefined) passed++;
          else skipped.set(reason, [...(skipped.get(reason) ?? []), name]);
        } catch (error) {
          faults.push(`${family}/${name}: ${(error as Error).message.slice(0, 300)}`);
        }
      }
    }
    expect(faults).toEqual([]);
    const left = [...skipped.values()].flat().length;
    const lines = [...skipped]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([reason, names]) => `${reason}: ${names.join(" ")}`);
    const head = `libonnx-testdata 1.12.0: ${passed} cases passed, ${left} left out:`;
    await expect([head, "", ...lines, ""].join("\n")).toMatchFileSnapshot(RESULTS);
  });
});
