import { DistillateError } from "@distillate/bundle";
import { exportModel } from "@distillate/export";
import { writeFileAtomic } from "@distillate/train/atomic-write";
import { readTfjsModel } from "@distillate/train/read-tfjs-model";
import { type CommandDef, defineCommand } from "citty";
import { TOOL_VERSION } from "../version.ts";
import { isModelJson } from "./model-files.ts";
import { STAGE_ARGS } from "./stage-args.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: {
    ...STAGE_ARGS.recipe,
    description: "A tfjs model's model.json or directory; or a recipe or configuration file",
  },
  out: {
    type: "string",
    alias: "o",
    description: "The file to write (model.onnx by default); the run directory for a recipe",
    valueHint: "PATH",
  },
  opset: { type: "string", default: "17", description: "13 to 21, for a tfjs model", valueHint: "N" },
  float16: { type: "boolean", default: false, description: "Weights in float16, for a tfjs model: half the bytes" },
  trace: { type: "boolean", default: false, description: "Print what each pass did, for a tfjs model" },
} as const;

/** `distillate export`: any tfjs model, of layers or a graph, to ONNX, or the pipeline up to its fp32 file. */
export const exportCommand: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "export", description: "Turn a tfjs model, or the student of a run, into an ONNX file." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path } = args;
    if (path === undefined || !(await isModelJson(path))) {
      // Loaded when asked for: with it comes the whole of training, which takes longer than an export.
      const { runStages } = await import("./stage-command.ts");
      return runStages(args, "export");
    }
    const opset = Number(args.opset);
    if (!Number.isInteger(opset) || opset < 13 || opset > 21) {
      throw new DistillateError({
        code: "config-invalid",
        message: `--opset is ${args.opset}, expected a whole number from 13 to 21`,
        hint: "Leave it out for 17, which every onnxruntime since 1.12 reads.",
      });
    }
    const artifacts = await readTfjsModel(path);
    const { onnx, report } = exportModel(artifacts, {
      name: "model",
      opset,
      float16: args.float16,
      metadata: { producer: "distillate", producerVersion: TOOL_VERSION },
    });
    const out = args.out ?? "model.onnx";
    await writeFileAtomic(out, onnx);
    const ops = Object.entries(report.ops).map(([op, count]) => `${count} ${op}`);
    const line = `${out}: ${report.bytes} bytes, ${report.parameters} parameters, ${ops.join(", ")}`;
    const trace = [
      ...report.images.map((name) => `${name} lies as [batch, c, h, w]`),
      ...report.passes.map(({ name, nodesBefore, nodesAfter, changed }) =>
        changed ? `${name}: ${nodesBefore} to ${nodesAfter} nodes` : `${name}: nothing to do`,
      ),
      ...report.keptFloat.map(({ node, reason }) => `float32 stays at ${node}: ${reason}`),
    ];
    if (args.trace && !args.json) process.stdout.write(`${trace.join("\n")}\n`);
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify({ out, ...report }) : line}\n`);
    return 0;
  },
});
