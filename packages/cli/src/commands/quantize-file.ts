import {
  type AccuracyLimit,
  CANDIDATES,
  type Calibration,
  compareModels,
  type DecodedModel,
  type Graph,
  type Quantized,
  quantize,
  quantizeWithin,
  type Recipe,
  type RecipeInput,
  rankLayers,
  searchRecipe,
} from "@distillate/export";
import { nodeRunner } from "../pipeline/node-runner.ts";
import type { QuantizeDebug } from "../report/quantize-debug.ts";
import { scoreOf } from "./accuracy-score.ts";
import type { CalibrationSet } from "./calibration-set.ts";

/** Points that a search may lose where nothing else is said. */
const MAX_DROP = 0.5;

/** What is asked beside the recipe. */
export interface QuantizeFileOptions {
  readonly recipe: Recipe;
  /** Tries recipes until one is within the limit. */
  readonly search: boolean;
  /** Points that may be lost; layers go back to float until it holds. */
  readonly maxDrop: number | undefined;
  readonly debug: boolean;
}

/** A quantised file, what was found out on the way, in words, and whether a limit holds. */
export interface QuantizedFile {
  readonly quantized: Quantized;
  readonly ok: boolean;
  readonly notes: readonly string[];
  readonly debug?: QuantizeDebug;
}

interface Attempt extends Omit<QuantizedFile, "debug"> {
  /** What it was quantised by in the end. */
  readonly recipe: RecipeInput;
}

/** Quantises a model as it is asked: by a recipe, within a limit, or by the first recipe that is. */
export async function quantizeFile(
  { graph }: DecodedModel,
  set: CalibrationSet | undefined,
  options: QuantizeFileOptions,
): Promise<QuantizedFile> {
  const calibration: Calibration = { run: nodeRunner, samples: set?.samples ?? (() => []) };
  const { recipe, ...done } = await attempt(graph, set, calibration, options);
  if (!options.debug || set === undefined) return done;
  const { float, graph: integer, report } = done.quantized;
  const comparison = await compareModels(float, integer, calibration);
  const ranking = report.samples > 0 ? await rankLayers(graph, recipe, calibration) : [];
  return { ...done, debug: { comparison, ranking } };
}

async function attempt(
  graph: Graph,
  set: CalibrationSet | undefined,
  calibration: Calibration,
  { recipe, search, maxDrop }: QuantizeFileOptions,
): Promise<Attempt> {
  if (set === undefined || (!search && maxDrop === undefined))
    return { quantized: await quantize(graph, recipe, calibration), ok: true, notes: [], recipe };
  const { what, score } = await scoreOf(graph, set);
  const limit: AccuracyLimit = { score, maxDrop: maxDrop ?? MAX_DROP };
  const lost = (drop: number): string => `loses ${drop.toFixed(2)} points of ${what}, allowed ${limit.maxDrop}`;
  if (search) {
    const candidates = CANDIDATES.map((candidate) => ({ ...candidate, rules: recipe.rules }));
    const found = await searchRecipe(graph, calibration, limit, candidates);
    const notes = found.tried.map(({ recipe: tried, drop }) => `${describe(tried)} ${lost(drop)}`);
    return { quantized: found, ok: found.ok, notes, recipe: found.recipe };
  }
  const found = await quantizeWithin(graph, recipe, calibration, limit);
  const notes = found.trials.map(
    ({ float, drop }) => `with ${float.length === 0 ? "no layer" : float.join(", ")} in float it ${lost(drop)}`,
  );
  return { quantized: found, ok: found.ok, notes, recipe };
}

function describe({ preset, calibrator, aids }: RecipeInput): string {
  return [preset, calibrator, ...(aids ?? [])].filter((word) => typeof word === "string").join(" + ");
}
