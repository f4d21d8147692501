import { readFile } from "node:fs/promises";
import {
  CALIBRATORS,
  compact,
  encodeModel,
  PRESETS,
  parseRecipe,
  quantize as quantizeGraph,
  type Recipe,
} from "@distillate/export";
import { writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { oneOf, UsageError, wholeNumber } from "../usage.ts";
import { calibrationSet } from "./calibration-set.ts";
import { PREPROCESS_ARGS, readOnnx } from "./model-files.ts";
import { runStages, STAGE_ARGS } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "An .onnx file; or a recipe or configuration file" },
  data: {
    ...STAGE_ARGS.data,
    description:
      "What ranges are measured on: a directory, mnist or fashion-mnist, or inputs as FILE.npy (INPUT=FILE.npy,... for several)",
    valueHint: "PATH",
  },
  out: {
    type: "string",
    alias: "o",
    description: "The file to write (MODEL.PRESET.onnx by default); the run directory for a recipe",
    valueHint: "PATH",
  },
  preset: { type: "string", description: `${Object.keys(PRESETS).join(", ")}; int8 by default`, valueHint: "NAME" },
  calibrator: { type: "string", description: `${CALIBRATORS.join(", ")}; min-max by default`, valueHint: "NAME" },
  rules: {
    type: "string",
    description: "A quantisation recipe as JSON: preset, calibrator and rules by op and name (docs/quantization.md)",
    valueHint: "FILE.json",
  },
  samples: {
    type: "string",
    default: "512",
    description: "Samples to measure ranges on, for an .onnx file",
    valueHint: "N",
  },
  ...PREPROCESS_ARGS,
} as const;

/** `distillate quantize`: an .onnx file to integers, or the pipeline up to its quantised file. */
export const quantize: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "quantize", description: "Quantise an ONNX file, or the student of a run." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, data } = args;
    if (path === undefined || !path.endsWith(".onnx")) return runStages(args, "quantize");
    if (data === undefined) throw new UsageError("quantize of a file needs --data PATH to measure ranges on");
    const recipe = await recipeOf(args);
    const model = await readOnnx(path);
    const set = await calibrationSet(model, path, { ...args, data, samples: wholeNumber("samples", args.samples) });
    try {
      const { graph, report } = await quantizeGraph(model.graph, recipe, { run: nodeRunner, samples: set.samples });
      const out = args.out ?? path.replace(/(\.fp32)?\.onnx$/, `.${recipe.preset}.onnx`);
      const onnx = encodeModel(compact(graph), model.metadata);
      await writeFileAtomic(out, onnx);
      const quantized = report.tensors.filter(({ dtype }) => dtype !== "float32").length;
      const line = `${out}: ${onnx.byteLength} bytes (${(model.bytes.byteLength / onnx.byteLength).toFixed(2)} times smaller), ${quantized} tensors quantised on ${report.samples} ${set.what}`;
      const result = { out, bytes: onnx.byteLength, before: model.bytes.byteLength, ...report };
      if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(result) : line}\n`);
      return 0;
    } finally {
      await set.close();
    }
  },
});

/** The recipe of the flags: a file, and what the other two change in it. */
async function recipeOf(args: {
  readonly preset?: string | undefined;
  readonly calibrator?: string | undefined;
  readonly rules?: string | undefined;
}): Promise<Recipe> {
  const { preset, calibrator, rules } = args;
  let written: unknown = {};
  if (rules !== undefined) {
    try {
      written = JSON.parse(await readFile(rules, "utf8"));
    } catch (error) {
      throw new UsageError(
        `--rules ${rules} is no JSON file: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  // What is not an object is refused by the schema, with the file's own words.
  if (typeof written !== "object" || written === null || Array.isArray(written)) return parseRecipe(written);
  return parseRecipe({
    ...written,
    ...(preset !== undefined && { preset: oneOf("preset", preset, Object.keys(PRESETS)) }),
    ...(calibrator !== undefined && { calibrator: oneOf("calibrator", calibrator, CALIBRATORS) }),
  });
}
