/** The stages export and quantize: the student as an fp32 file, and that file as an int8 one. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  compact,
  decodeModel,
  type ExportReport,
  encodeModel,
  exportModel,
  type QuantizeReport,
  quantize,
  type Recipe,
} from "@distillate/export";
import { type LearntRange, readCheckpoint, splitTrainValidation, writeFileAtomic } from "@distillate/train";
import { TOOL_VERSION } from "../version.ts";
import type { PipelineContext } from "./context.ts";
import { nodeRunner } from "./node-runner.ts";
import { imageFeeds } from "./onnx-logits.ts";
import type { Shipped } from "./quantize-aware-stage.ts";
import { outputHash, runStage } from "./stage.ts";
import type { Trained } from "./train-stages.ts";

/** The variants of a bundle. */
export type VariantId = "fp32" | "int8";
/** The file of each variant, in its stage's directory and in the bundle. */
export const VARIANT_FILES: { readonly [Id in VariantId]: string } = {
  fp32: "student.fp32.onnx",
  int8: "student.int8.onnx",
};

/** A variant as a file, and what was done to make it. */
export interface Exported<Report> {
  readonly path: string;
  readonly onnx: Uint8Array;
  readonly sha256: string;
  readonly report: Report;
}

/** Exports the student to fp32. */
export async function exportStudent(context: PipelineContext, student: Trained): Promise<Exported<ExportReport>> {
  const { run, config, data } = context;
  const directory = run.at("export");
  const path = join(directory, VARIANT_FILES.fp32);
  const { record } = await runStage<ExportReport>(context, {
    name: "export",
    directory,
    inputs: {
      tool: TOOL_VERSION,
      weights: student.hash,
      labels: data.labels,
      export: config.export,
      name: config.name,
    },
    run: async () => {
      const { artifacts, info } = await readCheckpoint(student.directory);
      const properties = {
        labels: JSON.stringify(info.labels),
        preprocess: JSON.stringify({ ...info.preprocess, layout: "nchw" }),
      };
      const { onnx, report } = exportModel(artifacts, {
        name: config.name,
        opset: config.export.opset,
        metadata: { producer: "distillate", producerVersion: TOOL_VERSION, properties },
      });
      await writeFileAtomic(path, onnx);
      return { result: report, files: [VARIANT_FILES.fp32] };
    },
  });
  return { path, onnx: await readFile(path), sha256: outputHash(record, VARIANT_FILES.fp32), report: record.result };
}

/** Quantises the fp32 file with ranges measured on training images. */
export async function quantizeStudent(
  context: PipelineContext,
  { network: student, ranges = [] }: Shipped,
  fp32: Exported<ExportReport>,
): Promise<Exported<QuantizeReport>> {
  const { run, config, data } = context;
  const directory = run.at("quantize");
  const path = join(directory, VARIANT_FILES.int8);
  const { record } = await runStage<QuantizeReport>(context, {
    name: "quantize",
    directory,
    inputs: {
      tool: TOOL_VERSION,
      fp32: fp32.sha256,
      data: data.hash,
      validation: config.data.validation,
      splitSeed: config.seeds[0],
      quantize: config.quantize,
      ranges,
    },
    run: async () => {
      const { info } = await readCheckpoint(student.directory);
      const split = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
      const chosen = split.train.subarray(0, config.quantize.samples);
      const { graph, metadata } = decodeModel(fp32.onnx);
      const { preset, calibrator, aids } = config.quantize;
      const quantized = await quantize(
        graph,
        { preset, calibrator, aids, rules: ranges.map((range) => givenRange(range, graph.inputs[0]!.name)) },
        { run: nodeRunner, samples: () => imageFeeds(data.train, info.preprocess, graph.inputs[0]!.name, chosen) },
      );
      await writeFileAtomic(path, encodeModel(compact(quantized.graph), metadata));
      return { result: quantized.report, files: [VARIANT_FILES.int8] };
    },
  });
  return { path, onnx: await readFile(path), sha256: outputHash(record, VARIANT_FILES.int8), report: record.result };
}

/** A range that training has learnt, as a rule: tensors bear the names of the layers that write them. */
function givenRange({ layer, isInput, min, max }: LearntRange, input: string): Recipe["rules"][number] {
  const name = (isInput ? input : layer).replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return { tensor: `^${name}$`, calibrator: { kind: "given", min, max } };
}
