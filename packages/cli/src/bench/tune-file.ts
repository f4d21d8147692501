/**
 * Tunes a bare file: its int8 form, those of stored weights and the file itself are measured in turns on every backend that is
 * here. What some backend runs best is written beside it, and the measurement as `NAME.tune.json`.
 */
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatReport } from "@distillate/bench/node";
import { isDistillateError } from "@distillate/bundle";
import { compact, type DecodedModel, encodeModel, quantize, type Recipe, type RecipeInput } from "@distillate/export";
import { writeFileAtomic } from "@distillate/train/atomic-write";
import type { CalibrationSet } from "../commands/calibration-set.ts";
import { nodeRunner } from "../pipeline/node-runner.ts";
import type { BenchInputs } from "./bench-inputs.ts";
import { inputsOfFile } from "./bench-inputs.ts";
import type { ModelFile } from "./bench-targets.ts";
import { inputsOfSet } from "./inputs-of-set.ts";
import { type Measured, measureVariants, type TuneOptions } from "./measure-variants.ts";

/** What is tuned. */
export interface TunedModel {
  readonly model: DecodedModel;
  readonly path: string;
  /** Of the int8 form: its preset is static. */
  readonly recipe: Recipe;
  /** What ranges are measured on, and accuracy; without it there is no int8 form, and speed is measured on noise. */
  readonly set: CalibrationSet | undefined;
}

/** What came of it. */
export interface TunedFile extends Measured {
  /** Variants that could not be made, and why. */
  readonly leftOut: readonly { readonly variant: string; readonly why: string }[];
  /** Files that were written: the chosen variants other than the file itself, and the measurement. */
  readonly written: readonly string[];
}

/** See the file's header. */
export async function tuneFile(tuned: TunedModel, options: TuneOptions): Promise<TunedFile> {
  const { path, model, set } = tuned;
  const place = await mkdtemp(join(tmpdir(), "distillate-tune-"));
  try {
    const { made, leftOut } = await makeVariants(tuned, place);
    const inputs: BenchInputs =
      set === undefined ? await inputsOfFile(path, undefined, options.seed) : await inputsOfSet(model.graph, set);
    const measured = await measureVariants(path, [{ model: "fp32", path }, ...made], inputs, options);
    const stem = path.replace(/(\.fp32)?\.onnx$/, "");
    const written: string[] = [];
    for (const { model: variant, path: file } of made) {
      if (!measured.choices.some((choice) => choice.variant === variant)) continue;
      written.push(`${stem}.${variant}.onnx`);
      await copyFile(file, written.at(-1)!);
    }
    written.push(`${stem}.tune.json`);
    await writeFileAtomic(written.at(-1)!, formatReport(measured.report));
    return { ...measured, leftOut, written };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function makeVariants(
  { model: { graph, metadata }, recipe, set }: TunedModel,
  place: string,
): Promise<{ readonly made: readonly ModelFile[]; readonly leftOut: TunedFile["leftOut"] }> {
  const wanted: readonly RecipeInput[] = [
    ...(set === undefined ? [] : [recipe]),
    { preset: "int8-weights" },
    { preset: "fp16" },
  ];
  const made: ModelFile[] = [];
  const leftOut: { readonly variant: string; readonly why: string }[] = [];
  if (set === undefined) leftOut.push({ variant: recipe.preset, why: "needs --data PATH to measure ranges on" });
  for (const one of wanted) {
    const variant = one.preset!;
    try {
      const { graph: quantized } = await quantize(graph, one, { run: nodeRunner, samples: set?.samples ?? (() => []) });
      const path = join(place, `${variant}.onnx`);
      await writeFile(path, encodeModel(compact(quantized), metadata));
      made.push({ model: variant, path });
    } catch (error) {
      // One that can't be made is no reason to measure none; with nothing to measure the reasons are the answer.
      if (!isDistillateError(error)) throw error;
      leftOut.push({ variant, why: error.message });
    }
  }
  return { made, leftOut };
}
