import { readFile } from "node:fs/promises";
import {
  AIDS,
  CALIBRATORS,
  compact,
  encodeModel,
  PRESETS,
  type Preset,
  parseRecipe,
  type Recipe,
} from "@distillate/export";
import { writeFileAtomic } from "@distillate/train/atomic-write";
import { type CommandDef, defineCommand } from "citty";
import { oneOf, UsageError, wholeNumber } from "../usage.ts";
import { type CalibrationArgs, calibrationSet } from "./calibration-set.ts";
import { isBundle, readOnnx } from "./model-files.ts";
import { PREPROCESS_ARGS } from "./preprocess-flags.ts";
import { quantizeFile } from "./quantize-file.ts";
import { STAGE_ARGS, TUNE_ARGS } from "./stage-args.ts";

/** The preset that is searched for. */
const AUTO = "auto";

const ARGS = {
  ...STAGE_ARGS,
  recipe: {
    ...STAGE_ARGS.recipe,
    description: "An .onnx file; a recipe or configuration file; with --tune a bundle or an .onnx file",
  },
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
  preset: {
    type: "string",
    description: `${Object.keys(PRESETS).join(", ")}; int8 by default; auto tries recipes until one is within --max-drop`,
    valueHint: "NAME",
  },
  aids: { type: "string", description: `Accuracy aids: all, or some of ${AIDS.join(", ")}`, valueHint: "LIST" },
  "max-drop": {
    type: "string",
    description: "Points that may be lost; the worst layers go back to float until it holds, else the exit status is 1",
    valueHint: "POINTS",
  },
  calibrator: { type: "string", description: `${CALIBRATORS.join(", ")}; mse by default`, valueHint: "NAME" },
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
  ...TUNE_ARGS,
  debug: {
    type: "boolean",
    description: "Show where accuracy is lost, as a table and as OUT.svg; and the stack of an error",
  },
} as const;

/** `distillate quantize`: an .onnx file to integers, or the pipeline up to its quantised file. */
export const quantize: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "quantize", description: "Quantise an ONNX file, or the student of a run." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, data } = args;
    if (args.tune === true) return tuneAny(path, args);
    if (path === undefined || !path.endsWith(".onnx")) {
      // Loaded when it is needed: a file is quantised in less time than the pipeline takes to load.
      const { runStages } = await import("./stage-command.ts");
      return runStages(args, "quantize");
    }
    const recipe = await recipeOf(args);
    const preset: Preset = PRESETS[recipe.preset];
    const search = args.preset === AUTO;
    const maxDrop = args["max-drop"] === undefined ? undefined : points("max-drop", args["max-drop"]);
    const needsData = preset.form === "static" || search || maxDrop !== undefined || args.debug === true;
    if (data === undefined && needsData)
      throw new UsageError("quantize of a file needs --data PATH to measure ranges on");
    const model = await readOnnx(path);
    const samples = wholeNumber("samples", args.samples);
    const set = data === undefined ? undefined : await calibrationSet(model, path, { ...args, data, samples });
    try {
      const asked = { recipe, search, maxDrop, debug: args.debug === true };
      const { quantized, ok, notes, debug } = await quantizeFile(model, set, asked);
      const { graph, report } = quantized;
      const out = args.out ?? path.replace(/(\.fp32)?\.onnx$/, `.${report.preset}.onnx`);
      const onnx = encodeModel(compact(graph), model.metadata);
      await writeFileAtomic(out, onnx);
      const shown: string[] = [];
      if (debug !== undefined) {
        // Plots are loaded when they are asked for.
        const { debugSvg, debugText } = await import("../report/quantize-debug.ts");
        const picture = `${out.replace(/\.onnx$/, "")}.svg`;
        await writeFileAtomic(picture, debugSvg(debug));
        shown.push(debugText(debug), picture);
      }
      const changed = report.tensors.filter(({ dtype }) => dtype !== "float32").length;
      const on = report.samples > 0 ? ` on ${report.samples} ${set?.what}` : "";
      const lines = [
        ...notes,
        ...report.aids.filter(({ done }) => !done).map(({ aid, node, what }) => `${aid} left ${node}: ${what}`),
        ...shown,
        `${out}: ${onnx.byteLength} bytes (${(model.bytes.byteLength / onnx.byteLength).toFixed(2)} times smaller), ${changed} tensors quantised${on}`,
      ];
      const result = { out, bytes: onnx.byteLength, before: model.bytes.byteLength, ok, notes, ...report, debug };
      if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(result) : lines.join("\n")}\n`);
      return ok ? 0 : 1;
    } finally {
      await set?.close();
    }
  },
});

/** Measures what a bundle has, or what can be made of a file, on every backend that is here. */
async function tuneAny(
  path: string | undefined,
  args: Parameters<typeof recipeOf>[0] &
    Omit<CalibrationArgs, "data" | "samples"> & {
      readonly data?: string | undefined;
      readonly samples: string;
      readonly "max-drop"?: string | undefined;
      readonly json?: boolean | undefined;
      readonly quiet?: boolean | undefined;
    },
): Promise<number> {
  const isFile = path?.endsWith(".onnx") === true;
  if (path === undefined || !(isFile || (await isBundle(path))))
    throw new UsageError("quantize --tune takes a bundle or an .onnx file");
  const options = {
    allowedDrop: points("max-drop", args["max-drop"] ?? "0.5"),
    seed: Number(args.seed ?? 1),
    json: args.json === true,
    quiet: args.quiet === true,
  };
  // Loaded when it is needed, as the pipeline is.
  const { tune } = await import("./tune.ts");
  if (!isFile) {
    await tune(path, options);
    return 0;
  }
  const recipe = await recipeOf(args);
  if (PRESETS[recipe.preset].form !== "static")
    throw new UsageError(`--tune measures int8-weights and fp16 anyway; --preset ${recipe.preset} is no form of int8`);
  const model = await readOnnx(path);
  const { data } = args;
  const samples = wholeNumber("samples", args.samples);
  const set = data === undefined ? undefined : await calibrationSet(model, path, { ...args, data, samples });
  try {
    await tune({ model, path, recipe, set }, options);
    return 0;
  } finally {
    await set?.close();
  }
}

/** A number of points. @throws UsageError */
function points(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new UsageError(`--${name} is ${text}, expected a number of points`);
}

/** The recipe of the flags: a file, and what the others change in it. */
async function recipeOf(args: {
  readonly preset?: string | undefined;
  readonly calibrator?: string | undefined;
  readonly rules?: string | undefined;
  readonly aids?: string | undefined;
}): Promise<Recipe> {
  const { preset, calibrator, rules, aids } = args;
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
    ...(preset !== undefined &&
      preset !== AUTO && { preset: oneOf("preset", preset, [...Object.keys(PRESETS), AUTO]) }),
    ...(calibrator !== undefined && { calibrator: oneOf("calibrator", calibrator, CALIBRATORS) }),
    ...(aids !== undefined && {
      aids: aids === "all" ? [...AIDS] : aids.split(",").map((aid) => oneOf("aids", aid, ["all", ...AIDS])),
    }),
  });
}
