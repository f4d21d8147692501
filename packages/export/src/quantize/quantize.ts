import type { Graph } from "../graph.ts";
import { AFTER_CALIBRATION, BEFORE_CALIBRATION, type Calibrated } from "./aids.ts";
import { createCalibrator } from "./calibrate/index.ts";
import { type Calibration, observe } from "./calibrate/observe.ts";
import { planTensors } from "./plan.ts";
import { calibratorOf, parseRecipe, type RecipeInput } from "./recipe.ts";
import type { Quantized } from "./report.ts";
import { writePairs } from "./write-pairs.ts";

/**
 * Quantises a float graph as a recipe says, with ranges measured on samples; inputs and outputs stay float32.
 *
 * @throws DistillateError `recipe-invalid`, and as `observe` does.
 */
export async function quantize(graph: Graph, input: RecipeInput, calibration: Calibration): Promise<Quantized> {
  const recipe = parseRecipe(input);

  // Aids that rewrite the float graph.
  let float = graph;
  for (const aid of BEFORE_CALIBRATION) float = await aid(float, { ...calibration, recipe });

  // What is quantised, and over which ranges.
  const plan = planTensors(float, recipe);
  const measured = new Set(plan.sources.values());
  const calibrators = new Map(
    [...measured].map((edge) => [edge, createCalibrator(calibratorOf(recipe, edge))] as const),
  );
  const { ranges, samples } = await observe(float, calibrators, calibration);

  // Aids that change what is written.
  const write = (state: Calibrated): Graph => writePairs(state, plan, recipe).graph;
  let state: Calibrated = { graph: float, ranges, weightScales: new Map() };
  for (const aid of AFTER_CALIBRATION) state = await aid(state, { ...calibration, recipe, write });

  const { graph: quantized, tensors } = writePairs(state, plan, recipe);
  return { graph: quantized, report: { preset: recipe.preset, samples, tensors } };
}
