import type { Graph } from "../graph.ts";
import type { Calibration } from "./calibrate/observe.ts";
import type { AccuracyLimit } from "./control-accuracy.ts";
import { quantize } from "./quantize.ts";
import type { RecipeInput } from "./recipe.ts";
import type { Quantized } from "./report.ts";

/** A recipe that was tried, and by how much the score fell. */
export interface TriedRecipe {
  readonly recipe: RecipeInput;
  readonly drop: number;
}

/** What a search came to. */
export interface FoundRecipe extends Quantized {
  readonly recipe: RecipeInput;
  /** Whether its score is within the limit; else it is the best of all. */
  readonly ok: boolean;
  readonly tried: readonly TriedRecipe[];
}

/** What is tried, in order: what costs least to make first, and floats at run time last. */
export const CANDIDATES: readonly RecipeInput[] = [
  { preset: "int8" },
  { preset: "int8", calibrator: "percentile" },
  { preset: "int8", aids: ["equalize", "correct-bias"] },
  { preset: "int8", aids: ["equalize", "clip-weights", "round-weights", "correct-bias"] },
  { preset: "int8-weights" },
];

/** Quantises by one recipe after the other until a score is within the limit. */
export async function searchRecipe(
  graph: Graph,
  calibration: Calibration,
  { score, maxDrop }: AccuracyLimit,
  candidates: readonly RecipeInput[] = CANDIDATES,
): Promise<FoundRecipe> {
  const whole = await score(graph);
  const tried: TriedRecipe[] = [];
  let best: { readonly quantized: Quantized; readonly recipe: RecipeInput; readonly drop: number } | undefined;
  for (const recipe of candidates) {
    const quantized = await quantize(graph, recipe, calibration);
    const drop = whole - (await score(quantized.graph));
    tried.push({ recipe, drop });
    if (best === undefined || drop < best.drop || drop <= maxDrop) best = { quantized, recipe, drop };
    if (drop <= maxDrop) break;
  }
  if (best === undefined) throw new Error("a search needs a recipe to try");
  return { ...best.quantized, recipe: best.recipe, ok: best.drop <= maxDrop, tried };
}
