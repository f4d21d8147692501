import { basename } from "node:path";
import { type ModelSummary, printGraph, summarize } from "@distillate/export";
import { writeFileAtomic } from "@distillate/train/atomic-write";
import { type CommandDef, defineCommand } from "citty";
import { readOnnx } from "./model-files.ts";

const ARGS = {
  model: { type: "positional", required: true, description: "An .onnx file" },
  graph: {
    type: "boolean",
    default: true,
    description: "Show the graph, node by node",
    negativeDescription: "Leave the graph out",
  },
  html: { type: "string", description: "Also draw the graph on a page, one file", valueHint: "FILE" },
  json: { type: "boolean", description: "Print the summary as JSON" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate inspect`: what an ONNX file is made of. */
export const inspect: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "inspect", description: "Show an ONNX file: graph, ops, sizes, work, quantisation per tensor." },
  args: ARGS,
  async run({ args }) {
    const { graph, bytes, metadata } = await readOnnx(args.model);
    const summary = summarize(graph);
    if (args.html !== undefined) {
      const { graphPage } = await import("../inspect/graph-page.ts");
      await writeFileAtomic(args.html, graphPage(basename(args.model), bytes.byteLength, graph, summary));
    }
    if (args.json) process.stdout.write(`${JSON.stringify({ bytes: bytes.byteLength, ...summary, metadata })}\n`);
    else process.stdout.write(`${args.graph ? `${printGraph(graph)}\n` : ""}${lines(summary, bytes.byteLength)}\n`);
  },
});

function lines(summary: ModelSummary, bytes: number): string {
  const list = (entries: object): string =>
    Object.entries(entries)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  return [
    `file         ${bytes} bytes, opset ${summary.opset}`,
    `ops          ${list(summary.ops)}`,
    `parameters   ${summary.parameters} (bytes: ${list(summary.constantBytes)})`,
    `work         ${summary.macs} multiplications with addition a sample`,
    `activations  ${summary.peakActivationBytes} bytes at most at a time, one sample`,
    ...summary.quantized.map(
      ({ tensor, dtype, scale, scales, zero }) =>
        `quantised    ${tensor}: ${dtype}, ${scales === 1 ? `scale ${scale[0].toPrecision(4)}` : `${scales} scales ${scale[0].toPrecision(3)} to ${scale[1].toPrecision(3)}`}, zero ${zero}`,
    ),
  ].join("\n");
}
