import { encodeModel, quantize as quantizeGraph, summarize } from "@distillate/export";
import { parseConfig, splitTrainValidation, writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { loadData } from "../pipeline/load-data.ts";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { imageFeeds } from "../pipeline/onnx-logits.ts";
import { UsageError } from "../usage.ts";
import { preprocessOf, readOnnx } from "./model-files.ts";
import { configOf } from "./run-config.ts";
import { runStages, STAGE_ARGS } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "An .onnx file of ours; or a recipe or configuration file" },
  out: {
    type: "string",
    alias: "o",
    description: "The file to write (MODEL.int8.onnx by default); the run directory for a recipe",
    valueHint: "PATH",
  },
  samples: {
    type: "string",
    default: "512",
    description: "Training images to measure ranges on, for an .onnx file",
    valueHint: "N",
  },
} as const;

/** `distillate quantize`: an .onnx file to int8, or the pipeline up to its int8 file. */
export const quantize: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "quantize", description: "Quantise an ONNX file of ours, or the student of a run, to int8." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, data: directory } = args;
    if (path === undefined || !path.endsWith(".onnx")) return runStages(args, "quantize");
    if (directory === undefined) throw new UsageError("quantize of a file needs --data DIR to measure ranges on");
    const model = await readOnnx(path);
    const preprocess = preprocessOf(model, path);
    const { width, height, channels, fit } = preprocess;
    const found = await configOf({ data: directory, set: args.set, seed: args.seed });
    const config = parseConfig({
      ...found,
      data: { ...found.data, ...(found.data.kind === "image-folder" && { image: { width, height, channels, fit } }) },
    });
    const { train } = await loadData(config);
    const split = splitTrainValidation(train.classes, config.data.validation, config.seeds[0]!);
    const chosen = split.train.subarray(0, Number(args.samples));
    const input = model.graph.inputs[0]!.name;
    const { graph, report } = await quantizeGraph(
      model.graph,
      {},
      {
        run: nodeRunner,
        samples: () => imageFeeds(train, preprocess, input, chosen),
      },
    );
    const out = args.out ?? path.replace(/(\.fp32)?\.onnx$/, ".int8.onnx");
    const onnx = encodeModel(graph, model.metadata);
    await writeFileAtomic(out, onnx);
    const { quantized } = summarize(graph);
    const line = `${out}: ${onnx.byteLength} bytes (${(model.bytes.byteLength / onnx.byteLength).toFixed(2)} times smaller), ${quantized.length} tensors quantised on ${chosen.length} images`;
    const result = { out, bytes: onnx.byteLength, before: model.bytes.byteLength, ...report };
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(result) : line}\n`);
    return 0;
  },
});
