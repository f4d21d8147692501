/**
 * Accuracy control: layers go back to float, the most damaging first, until the score is within `maxDrop` of the float model's.
 *
 * A layer's damage is what the outputs gain when it alone stays float: the signal-to-noise ratio against the float model on
 * a few samples, which tells layers apart where a score of right and wrong answers could not. NNCF's accuracy control
 * (openvinotoolkit/nncf, quantization/algorithms/accuracy_control) ranks by the score itself and goes back one layer at a time too.
 */
import { compareModels } from "../compare.ts";
import type { Feeds, Graph } from "../graph.ts";
import type { Calibration } from "./calibrate/observe.ts";
import { planTensors } from "./plan.ts";
import { POLICY } from "./policy.ts";
import { PRESETS } from "./presets.ts";
import { quantize } from "./quantize.ts";
import { parseRecipe, type RecipeInput } from "./recipe.ts";
import type { Quantized } from "./report.ts";

/** What a graph scores: the higher, the better; accuracy in points, say. */
export type Score = (graph: Graph) => Promise<number>;

/** How far the score may fall. */
export interface AccuracyLimit {
  readonly score: Score;
  /** In the score's own unit. */
  readonly maxDrop: number;
}

/** One file that was tried. */
export interface Trial {
  /** Layers in float, in the order they went back. */
  readonly float: readonly string[];
  readonly drop: number;
}

/** A quantised graph within its limit, or as near as it came. */
export interface Controlled extends Quantized {
  readonly ok: boolean;
  /** Layers by damage, the worst first, and what the outputs gain in dB when one alone stays float; empty when none had to go back. */
  readonly ranking: readonly { readonly node: string; readonly gain: number }[];
  readonly trials: readonly Trial[];
}

/** Enough to tell layers apart. */
const RANKING_SAMPLES = 64;

/** See the file's header. */
export async function quantizeWithin(
  graph: Graph,
  input: RecipeInput,
  calibration: Calibration,
  { score, maxDrop }: AccuracyLimit,
): Promise<Controlled> {
  const recipe = parseRecipe(input);
  const whole = await score(graph);
  const trials: Trial[] = [];
  const attempt = async (float: readonly string[]): Promise<{ quantized: Quantized; ok: boolean }> => {
    const quantized = await quantize(graph, keeping(recipe, float), calibration);
    const drop = whole - (await score(quantized.graph));
    trials.push({ float, drop });
    return { quantized, ok: drop <= maxDrop };
  };

  let { quantized, ok } = await attempt([]);
  // Only where layers run in integers can one go back.
  if (ok || PRESETS[recipe.preset].form !== "static") return { ...quantized, ok, ranking: [], trials };
  const ranking = await rankLayers(graph, input, calibration);
  const float: string[] = [];
  for (const { node } of ranking) {
    if (ok) break;
    float.push(node);
    ({ quantized, ok } = await attempt([...float]));
  }
  return { ...quantized, ok, ranking, trials };
}

/** All layers that run in integers, by what the outputs gain in dB when one alone stays float, the most damaging first. */
export async function rankLayers(
  graph: Graph,
  input: RecipeInput,
  { run, samples }: Calibration,
): Promise<readonly { readonly node: string; readonly gain: number }[]> {
  // Aids behind the calibration would work anew for each layer, and tell nothing about which one is to blame.
  const recipe = { ...parseRecipe(input), aids: parseRecipe(input).aids.filter((aid) => aid === "equalize") };
  const few: Calibration = { run, samples: () => first(samples(), RANKING_SAMPLES) };
  const { integer } = planTensors(graph, recipe);
  const ratioWith = async (float: readonly string[]): Promise<number> => {
    const { graph: quantized } = await quantize(graph, keeping(recipe, float), few);
    const { outputs } = await compareModels(graph, quantized, few, { outputsOnly: true });
    return Math.min(...outputs.map(({ sqnr }) => sqnr));
  };
  const all = await ratioWith([]);
  const ranking: { node: string; gain: number }[] = [];
  for (const { op, name } of graph.nodes) {
    const rule = POLICY[op]?.rule;
    if (!integer.has(name) || (rule !== "weighted" && rule !== "computed")) continue;
    ranking.push({ node: name, gain: (await ratioWith([name])) - all });
  }
  return ranking.sort((a, b) => b.gain - a.gain);
}

function keeping(recipe: ReturnType<typeof parseRecipe>, float: readonly string[]): RecipeInput {
  const rules = float.map((name) => ({
    node: `^${name.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")}$`,
    precision: "float" as const,
  }));
  return { ...recipe, rules: [...recipe.rules, ...rules] };
}

async function* first(samples: ReturnType<Calibration["samples"]>, most: number): AsyncGenerator<Feeds> {
  let count = 0;
  for await (const feeds of samples) {
    yield feeds;
    count += Object.values(feeds)[0]?.shape[0] ?? 1;
    if (count >= most) return;
  }
}
