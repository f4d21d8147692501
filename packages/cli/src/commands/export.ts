import { exportModel } from "@distillate/export";
import { readLayersModel, writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { TOOL_VERSION } from "../version.ts";

const ARGS = {
  model: { type: "positional", required: true, description: "model.json of a tfjs LayersModel" },
  out: { type: "string", alias: "o", default: "model.onnx", description: "The file to write", valueHint: "FILE.onnx" },
  opset: { type: "string", default: "17", description: "13 to 21", valueHint: "N" },
  json: { type: "boolean", description: "Print the report as JSON" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate export`: any tfjs LayersModel to ONNX. */
export const exportCommand: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "export", description: "Turn a tfjs LayersModel into an ONNX file." },
  args: ARGS,
  async run({ args }) {
    const artifacts = await readLayersModel(args.model);
    const { onnx, report } = exportModel(artifacts, {
      name: "model",
      opset: Number(args.opset),
      metadata: { producer: "distillate", producerVersion: TOOL_VERSION },
    });
    await writeFileAtomic(args.out, onnx);
    const ops = Object.entries(report.ops).map(([op, count]) => `${count} ${op}`);
    process.stdout.write(
      args.json
        ? `${JSON.stringify(report)}\n`
        : `${args.out}: ${report.bytes} bytes, ${report.parameters} parameters, ${ops.join(", ")}\n`,
    );
  },
});
