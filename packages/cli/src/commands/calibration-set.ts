/** Calibration samples of a command line: raw inputs as `.npy`, or the training part of a data set that `run` knows. */
import type { DecodedModel, Feeds } from "@distillate/export";
import { npySet } from "./npy-set.ts";
import type { PreprocessArgs } from "./preprocess-flags.ts";

/** How samples are chosen. */
export interface CalibrationArgs extends PreprocessArgs {
  /** A directory, a recipe's name, FILE.npy, or INPUT=FILE.npy,INPUT=FILE.npy. */
  readonly data: string;
  readonly samples: number;
  readonly set?: string | undefined;
  readonly seed?: string | undefined;
}

/** Samples, and how many of what; `samples` starts a pass over them. */
export interface CalibrationSet {
  readonly samples: () => Iterable<Feeds> | AsyncIterable<Feeds>;
  readonly what: "images" | "rows";
  /** Images beside them, whose classes are known; none for raw inputs. */
  readonly labelled?: { readonly samples: () => Iterable<Feeds>; readonly classes: readonly number[] };
  close(): Promise<void>;
}

/**
 * Opens the samples for a model.
 *
 * @throws UsageError, or DistillateError `npy-invalid`, `data-missing`, `preprocess-missing`, `calibration-mismatch` or
 * `calibration-empty`.
 */
export async function calibrationSet(
  model: DecodedModel,
  path: string,
  args: CalibrationArgs,
): Promise<CalibrationSet> {
  if (args.data.endsWith(".npy")) return npySet(model.graph, args);
  // Loaded when they are needed: data sets bring the training package with them, which takes longer than quantising.
  const { imageSet } = await import("./image-set.ts");
  return imageSet(model, path, args);
}
