import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import { measure } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { loadData } from "../pipeline/load-data.ts";
import { onnxLogits } from "../pipeline/onnx-logits.ts";
import { UsageError } from "../usage.ts";
import { imageConfigOf } from "./image-config.ts";
import { isBundle, openBundle, readOnnx } from "./model-files.ts";
import { PREPROCESS_ARGS, type PreprocessArgs, preprocessOf } from "./preprocess-flags.ts";
import { STAGE_ARGS } from "./stage-args.ts";
import { runStages } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  recipe: { ...STAGE_ARGS.recipe, description: "A bundle, an .onnx file, a recipe or a configuration file" },
  ...PREPROCESS_ARGS,
} as const;

/** `distillate evaluate`: a bundle or a file on a data set, or the pipeline up to its report. */
export const evaluate: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "evaluate",
    description: "Measure a bundle or an .onnx file on a data set's test part, or all networks of a run.",
  },
  args: ARGS,
  async run({ args }) {
    const { recipe: path, data } = args;
    const isFile = path?.endsWith(".onnx") === true;
    if (path === undefined || !(isFile || (await isBundle(path)))) return runStages(args, "evaluate");
    const { id, preprocess, classes, files } = await (isFile ? fileOf(path, args) : bundleOf(path));
    const source = data ?? id;
    if (source === undefined) throw new UsageError("evaluate of a file needs --data PATH to measure it on");
    const { test, labels } = await loadData(
      await imageConfigOf({ data: source, set: args.set, seed: args.seed }, preprocess),
    );
    if (labels.length !== classes) {
      throw new DistillateError({
        code: "labels-mismatch",
        message: `${path} tells ${classes} classes apart, the data set has ${labels.length}`,
        hint: "Give the data set that the model was made for.",
      });
    }
    const rows = [];
    for (const { id, onnx, batch } of files) {
      const logits = await onnxLogits(onnx, test, preprocess, classes, batch);
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

/** What is measured. */
interface Measured {
  /** The recipe it came from, where it is known. */
  readonly id?: string;
  readonly preprocess: PreprocessSpec;
  readonly classes: number;
  /** `batch`: the only size that it takes. */
  readonly files: readonly { readonly id: string; readonly onnx: Uint8Array; readonly batch?: number }[];
}

async function bundleOf(path: string): Promise<Measured> {
  const { manifest, files } = await openBundle(path);
  const { id, preprocess, labels, variants } = manifest;
  return {
    id,
    preprocess,
    classes: labels.length,
    files: variants.map((variant) => ({ id: variant.id, onnx: files.get(variant.file.path)! })),
  };
}

async function fileOf(path: string, args: PreprocessArgs): Promise<Measured> {
  const model = await readOnnx(path);
  const [input, output] = [model.graph.inputs[0]!, model.graph.outputs[0]!];
  const [batch] = input.shape;
  return {
    preprocess: preprocessOf(model, path, args),
    classes: Number(output.shape.at(-1)),
    files: [{ id: path, onnx: model.bytes, ...(typeof batch === "number" && { batch }) }],
  };
}
