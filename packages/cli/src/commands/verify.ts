import { decodeProbe } from "@distillate/bundle";
import { decodeModel } from "@distillate/export";
import { type CommandDef, defineCommand } from "citty";
import { NODE_RUNTIME, nodeRunner } from "../pipeline/node-runner.ts";
import { debugText } from "../report/quantize-debug.ts";
import { UsageError, wholeNumber } from "../usage.ts";
import { isBundle, openBundle, readOnnx } from "./model-files.ts";
import { PREPROCESS_ARGS } from "./preprocess-flags.ts";
import { STAGE_ARGS } from "./stage-args.ts";
import { runStages } from "./stage-command.ts";
import { verifyPair } from "./verify-pair.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "A bundle, an .onnx file, a recipe or a configuration file" },
  against: { type: "positional", required: false, description: "A second .onnx file, to compare tensor by tensor" },
  samples: { type: "string", default: "128", description: "Samples to compare two files on", valueHint: "N" },
  ...PREPROCESS_ARGS,
} as const;

/** What was looked at, and how it came out. */
interface Finding {
  readonly what: string;
  readonly ok: boolean;
}

/** `distillate verify`: a bundle, a file, or the pipeline up to its checks. */
export const verify: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "verify",
    description: "Check a bundle or an ONNX file, compare two, or hold the files of a run against tfjs.",
  },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, against } = args;
    if (against !== undefined) {
      if (![path, against].every((file) => file?.endsWith(".onnx")))
        throw new UsageError(`verify of two takes two .onnx files, found ${path} and ${against}`);
      const samples = wholeNumber("samples", args.samples);
      const comparison = await verifyPair([path!, against], { ...args, samples });
      const text = debugText({ comparison, ranking: [] });
      if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(comparison) : text}\n`);
      return 0;
    }
    let findings: readonly Finding[];
    if (path?.endsWith(".onnx")) findings = await verifyOnnx(path);
    else if (path !== undefined && (await isBundle(path))) findings = await verifyBundle(path);
    else return runStages(args, "verify");
    const lines = findings.map(({ what, ok }) => `${ok ? "passed" : "FAILED"}: ${what}`);
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(findings) : lines.join("\n")}\n`);
    return findings.every(({ ok }) => ok) ? 0 : 1;
  },
});

async function verifyOnnx(path: string): Promise<readonly Finding[]> {
  const { graph, bytes } = await readOnnx(path);
  const model = await nodeRunner(bytes);
  await model.dispose();
  return [
    { what: `${path} is a sound graph of ${graph.nodes.length} nodes, every value typed and shaped`, ok: true },
    { what: `${NODE_RUNTIME} loads it`, ok: true },
  ];
}

/** Hashes, graphs, and the probe's prepared inputs in onnxruntime against the outputs recorded with them. */
async function verifyBundle(directory: string): Promise<readonly Finding[]> {
  const { manifest, files } = await openBundle(directory);
  const findings: Finding[] = [{ what: `${files.size} files have the size and SHA-256 of the manifest`, ok: true }];
  for (const { id, file } of manifest.variants) {
    const onnx = files.get(file.path)!;
    const { graph } = decodeModel(onnx);
    findings.push({ what: `${id}: a sound graph of ${graph.nodes.length} nodes`, ok: true });
    if (manifest.probe === undefined) continue;
    const probe = decodeProbe(files.get(manifest.probe.file.path)!);
    const [input, output] = [graph.inputs[0]!, graph.outputs[0]!];
    const model = await nodeRunner(onnx);
    try {
      const shape = [probe.samples, ...input.shape.slice(1).map(Number)];
      const { buffer, byteOffset, byteLength } = probe.inputs;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      const found = (await model.run({ [input.name]: { dtype: "float32", shape, bytes } }))[output.name]!.bytes;
      const values = new Float32Array(found.buffer, found.byteOffset, found.byteLength / 4);
      const difference = values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - probe.outputs[i]!)), 0);
      const tolerance = manifest.probe.tolerance[id];
      const limit = tolerance === undefined ? "no limit given" : `allowed ${tolerance}`;
      findings.push({
        what: `${id}: largest difference from the probe's ${probe.samples} outputs ${difference.toPrecision(3)}, ${limit}`,
        ok: tolerance === undefined || difference <= tolerance,
      });
    } finally {
      await model.dispose();
    }
  }
  return findings;
}
