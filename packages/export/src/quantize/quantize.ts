import { DistillateError } from "@distillate/bundle";
import type { Graph } from "../graph.ts";
import { AFTER_CALIBRATION, type AidNote, BEFORE_CALIBRATION, type Calibrated } from "./aids.ts";
import { createCalibrator } from "./calibrate/index.ts";
import { type Calibration, observe } from "./calibrate/observe.ts";
import { quantizeDynamic } from "./dynamic.ts";
import { planTensors } from "./plan.ts";
import { PRESETS, type Preset, type StaticPreset } from "./presets.ts";
import { raiseOpset } from "./raise-opset.ts";
import { calibratorOf, parseRecipe, type Recipe, type RecipeInput } from "./recipe.ts";
import type { Quantized } from "./report.ts";
import { storeWeights } from "./weight-only/store-weights.ts";
import { writePairs } from "./write-pairs.ts";

/**
 * Quantises a float graph as a recipe says: with ranges measured on samples, or by its weights alone; inputs and outputs stay float32.
 *
 * @throws DistillateError `recipe-invalid`, `already-quantised`, and as `observe` does.
 */
export async function quantize(graph: Graph, input: RecipeInput, calibration: Calibration): Promise<Quantized> {
  const recipe = parseRecipe(input);
  checkFloat(graph);
  const preset: Preset = PRESETS[recipe.preset];
  if (preset.form === "static") return quantizeStatic(graph, recipe, preset, calibration);
  const { graph: quantized, tensors } =
    preset.form === "dynamic" ? quantizeDynamic(graph) : storeWeights(graph, preset);
  return { graph: quantized, float: graph, report: { preset: recipe.preset, samples: 0, tensors, aids: [] } };
}

/** Rounding twice loses twice, and what a scale was for is not in the file. */
function checkFloat({ nodes }: Graph): void {
  const found = nodes.find(({ op }) => op === "QuantizeLinear" || op === "DequantizeLinear");
  if (found === undefined) return;
  throw new DistillateError({
    code: "already-quantised",
    message: `node ${found.name} is a ${found.op}: the model is quantised already`,
    hint: "Give the float model that it was made from.",
  });
}

async function quantizeStatic(
  graph: Graph,
  recipe: Recipe,
  preset: StaticPreset,
  calibration: Calibration,
): Promise<Quantized> {
  const notes: AidNote[] = [];

  // Aids that rewrite the float graph.
  let float = raiseOpset(graph, preset.opset);
  for (const [name, aid] of Object.entries(BEFORE_CALIBRATION)) {
    if (!recipe.aids.includes(name as AidNote["aid"])) continue;
    const done = aid(float);
    float = done.graph;
    notes.push(...done.notes);
  }

  // What is quantised, and over which ranges.
  const plan = planTensors(float, recipe);
  const measured = new Set(plan.sources.values());
  const calibrators = new Map(
    [...measured].map((edge) => [edge, createCalibrator(calibratorOf(recipe, edge), preset.activations)] as const),
  );
  const { ranges, samples } = await observe(float, calibrators, calibration);

  // Aids that change what is written.
  const write = (state: Calibrated): Graph => writePairs(state, plan, recipe, preset).graph;
  let state: Calibrated = { graph: float, ranges, weightScales: new Map() };
  for (const [name, aid] of Object.entries(AFTER_CALIBRATION)) {
    if (!recipe.aids.includes(name as AidNote["aid"])) continue;
    const done = await aid(state, { ...calibration, recipe, preset, plan, write });
    state = done.state;
    notes.push(...done.notes);
  }

  const { graph: quantized, tensors } = writePairs(state, plan, recipe, preset);
  return { graph: quantized, float, report: { preset: recipe.preset, samples, tensors, aids: notes } };
}
