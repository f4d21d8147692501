import type { PreprocessSpec } from "@distillate/bundle";
import { RECIPES } from "@distillate/recipes";
import { parseConfig, type RunConfig } from "@distillate/train";
import { UsageError } from "../usage.ts";
import { type ConfigArgs, configOf } from "./run-config.ts";

/** The configuration of a data set, a recipe's name or a directory, whose images have the size that a model wants. */
export async function imageConfigOf(
  { data, set, seed }: Pick<ConfigArgs, "set" | "seed"> & { readonly data: string },
  preprocess: PreprocessSpec,
): Promise<RunConfig> {
  if (preprocess.kind !== "image") throw new UsageError(`the data are images; the model takes ${preprocess.kind}`);
  const { width, height, channels, fit } = preprocess;
  const config = await configOf({ set, seed, ...(Object.hasOwn(RECIPES, data) ? { recipe: data } : { data }) });
  if (config.data.kind !== "image-folder") return config;
  return parseConfig({ ...config, data: { ...config.data, image: { width, height, channels, fit } } });
}
