/** Graphs for the tests of the quantiser, and what onnxruntime-node makes of them. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnx as schema } from "onnx-proto";
import { InferenceSession } from "onnxruntime-node";
import type { Feeds, Graph, Node, Tensor } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { nodeRunner } from "../node-runner.test.helper.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatsOf, floatTensor } from "../tensor.ts";

/** What the files of tests say about their maker. */
export const METADATA = { producer: "test", producerVersion: "1" } as const;

/** The ops that onnxruntime runs for a file, as its optimiser leaves them at level extended. */
export async function optimizedOps(onnx: Uint8Array): Promise<readonly string[]> {
  const optimizedModelFilePath = join(await mkdtemp(join(tmpdir(), "distillate-quant-")), "optimized.onnx");
  const session = await InferenceSession.create(onnx, {
    optimizedModelFilePath,
    graphOptimizationLevel: "extended",
    logSeverityLevel: 3,
  });
  await session.release();
  const { graph } = schema.ModelProto.decode(await readFile(optimizedModelFilePath));
  return graph!.node!.map(({ opType }) => opType!);
}

/** Signal against noise of the first output of one graph for another's, in decibels, over all samples. */
export async function signalToNoise(float: Graph, other: Graph, samples: readonly Feeds[]): Promise<number> {
  const models = await Promise.all([float, other].map((graph) => nodeRunner(encodeModel(graph, METADATA))));
  let [error, signal] = [0, 0];
  for (const sample of samples) {
    const [expected, found] = (await Promise.all(models.map((model) => model.run(sample)))).map((outputs) =>
      floatsOf(outputs[float.outputs[0]!.name]!),
    );
    for (const [i, value] of expected!.entries()) {
      error += (value - found![i]!) ** 2;
      signal += value ** 2;
    }
  }
  await Promise.all(models.map((model) => model.dispose()));
  return 10 * Math.log10(signal / error);
}

/** Values that look like noise and are always the same. */
export function noise(shape: readonly number[], seed: number, size = 0.7): Tensor {
  const length = shape.reduce((product, side) => product * side, 1);
  return floatTensor(
    Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 12.9898) * size),
    shape,
  );
}

/** A node named after its output. */
export function nodeOf(op: string, name: string, inputs: readonly string[], attrs: Node["attrs"] = {}): Node {
  return { op, domain: "", name, inputs, outputs: [name], attrs };
}

/** A graph from input to `logits`, typed and shaped. */
export function graphOf(
  input: readonly (number | string)[],
  nodes: readonly Node[],
  constants: Readonly<Record<string, Tensor>>,
): Graph {
  const typed = inferShapes({
    name: "test",
    opset: 17,
    inputs: [{ name: "input", dtype: "float32", shape: input }],
    outputs: [],
    nodes,
    constants: new Map(Object.entries(constants)),
    values: new Map(),
  });
  return { ...typed, outputs: [typed.values.get("logits")!] };
}
