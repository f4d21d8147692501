import { measure, parseConfig } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { loadData } from "../pipeline/load-data.ts";
import { onnxLogits } from "../pipeline/onnx-logits.ts";
import { UsageError } from "../usage.ts";
import { isBundle, openBundle } from "./model-files.ts";
import { configOf } from "./run-config.ts";
import { runStages, STAGE_ARGS } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "A bundle, a recipe or a configuration file" },
} as const;

/** `distillate evaluate`: a bundle on a data set, or the pipeline up to its report. */
export const evaluate: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "evaluate", description: "Measure a bundle on a data set's test part, or all networks of a run." },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, data: directory } = args;
    if (path === undefined || !(await isBundle(path))) return runStages(args, "evaluate");
    const { manifest, files } = await openBundle(path);
    const { preprocess, labels } = manifest;
    if (preprocess.kind !== "image")
      throw new UsageError(`evaluate measures images; this bundle takes ${preprocess.kind}`);
    const { width, height, channels, fit } = preprocess;
    const source = directory === undefined ? { recipe: manifest.id } : { data: directory };
    const found = await configOf({ ...source, set: args.set, seed: args.seed });
    const config = parseConfig({
      ...found,
      data: { ...found.data, ...(found.data.kind === "image-folder" && { image: { width, height, channels, fit } }) },
    });
    const { test } = await loadData(config);
    const rows = [];
    for (const { id, file } of manifest.variants) {
      const logits = await onnxLogits(files.get(file.path)!, test, preprocess, labels.length);
      const { accuracy, nll, ece, perClass } = measure(logits, test.classes);
      rows.push({ id, samples: test.count, accuracy, nll, ece, perClass });
    }
    const lines = rows.map(
      ({ id, samples, accuracy, nll, ece }) =>
        `${id}: ${(100 * accuracy).toFixed(2)} % of ${samples} images, log-likelihood ${(-nll).toFixed(4)}, ECE ${ece.toFixed(4)}`,
    );
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(rows) : lines.join("\n")}\n`);
    return 0;
  },
});
