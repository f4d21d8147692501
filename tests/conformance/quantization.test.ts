/** The int8 files of the pipeline's networks as onnxruntime runs them: every Conv, Gemm and Add in integers. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnx as schema } from "onnx-proto";
import { InferenceSession } from "onnxruntime-node";
import { beforeAll, expect, test } from "vitest";
import { type ExportedModel, exportedModels } from "../fixtures/exported-models.ts";

let models: readonly ExportedModel[];
beforeAll(async () => {
  models = await exportedModels();
});

/** How often each op stands in the graph that onnxruntime's optimiser leaves. */
async function optimized(onnx: Uint8Array): Promise<Readonly<Record<string, number>>> {
  const optimizedModelFilePath = join(await mkdtemp(join(tmpdir(), "distillate-fused-")), "optimized.onnx");
  const session = await InferenceSession.create(onnx, {
    optimizedModelFilePath,
    graphOptimizationLevel: "extended",
    logSeverityLevel: 3,
  });
  await session.release();
  const counts: Record<string, number> = {};
  for (const { opType } of schema.ModelProto.decode(await readFile(optimizedModelFilePath)).graph!.node!)
    counts[opType!] = (counts[opType!] ?? 0) + 1;
  return counts;
}

test.each([
  ["cnn", { QuantizeLinear: 1, QLinearConv: 2, MaxPool: 2, Flatten: 1, QGemm: 2 }],
  ["ds-cnn", { QuantizeLinear: 1, QLinearConv: 5, QLinearGlobalAveragePool: 1, Flatten: 1, QGemm: 1 }],
  ["resnet-8", { QuantizeLinear: 1, QLinearConv: 9, QLinearAdd: 3, QLinearGlobalAveragePool: 1, Flatten: 1, QGemm: 1 }],
  [
    "resnet-9",
    { QuantizeLinear: 1, QLinearConv: 8, MaxPool: 3, QLinearAdd: 2, QLinearGlobalAveragePool: 1, Flatten: 1, QGemm: 1 },
  ],
])("%s: one step into integers, none back", async (name, expected) => {
  const { files } = models.find((model) => model.name === name)!;
  expect(await optimized(files.int8)).toEqual(expected);
});

test("small files: an 83 kB ResNet-8 within 10 % of what LiteRT writes for a student of 81 kB", () => {
  const { fp32, int8 } = models.find(({ name }) => name === "resnet-8")!.files;
  // LiteRT: 26,296 bytes for a student of 80,850; for this very network 33,584 (tests/peers/litert_bytes.py).
  expect(fp32.byteLength).toBeGreaterThan(80_850);
  expect(int8.byteLength).toBeLessThanOrEqual(1.1 * 26_296);
});
