import { DistillateError } from "@distillate/bundle";
import { exportModel } from "@distillate/export";
import { readLayersModel, writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { TOOL_VERSION } from "../version.ts";
import { isModelJson } from "./model-files.ts";
import { runStages, STAGE_ARGS } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "model.json of a tfjs LayersModel; or a recipe or configuration file" },
  out: {
    type: "string",
    alias: "o",
    description: "The file to write (model.onnx by default); the run directory for a recipe",
    valueHint: "PATH",
  },
  opset: { type: "string", default: "17", description: "13 to 21, for a model.json", valueHint: "N" },
} as const;

/** `distillate export`: any tfjs LayersModel to ONNX, or the pipeline up to its fp32 file. */
export const exportCommand: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "export", description: "Turn a tfjs LayersModel, or the student of a run, into an ONNX file." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path } = args;
    if (path === undefined || !(await isModelJson(path))) return runStages(args, "export");
    const opset = Number(args.opset);
    if (!Number.isInteger(opset) || opset < 13 || opset > 21) {
      throw new DistillateError({
        code: "config-invalid",
        message: `--opset is ${args.opset}, expected a whole number from 13 to 21`,
        hint: "Leave it out for 17, which every onnxruntime since 1.12 reads.",
      });
    }
    const artifacts = await readLayersModel(path);
    const { onnx, report } = exportModel(artifacts, {
      name: "model",
      opset,
      metadata: { producer: "distillate", producerVersion: TOOL_VERSION },
    });
    const out = args.out ?? "model.onnx";
    await writeFileAtomic(out, onnx);
    const ops = Object.entries(report.ops).map(([op, count]) => `${count} ${op}`);
    const line = `${out}: ${report.bytes} bytes, ${report.parameters} parameters, ${ops.join(", ")}`;
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify({ out, ...report }) : line}\n`);
    return 0;
  },
});
