/**
 * The recipe: what the user asks for, as data. A preset for the whole graph, and rules for some of its nodes and tensors:
 *
 *   { "preset": "int8", "calibrator": "mse", "aids": ["equalize", "correct-bias"],
 *     "rules": [{ "op": "Gemm", "node": "^logits", "precision": "float" },
 *               { "tensor": "relu_3$", "calibrator": { "kind": "percentile", "percent": 99.9 } }] }
 *
 * A rule holds for what all of its selectors match: `op` an op's name, `node` and `tensor` regular expressions. Where several
 * rules set the same thing, the last one stands. What is legal is the policy's matter (policy.ts).
 */
import { DistillateError } from "@distillate/bundle";
import * as v from "valibot";
import type { Edge, Node } from "../graph.ts";
import { CalibratorSchema, type CalibratorSpec } from "./calibrate/index.ts";
import { PRESETS, type PresetName } from "./presets.ts";

/** Accuracy aids; they work in the pipeline's order, whatever the order they are named in. */
export const AIDS = ["equalize", "clip-weights", "round-weights", "correct-bias"] as const;

/** The name of an accuracy aid. */
export type AidName = (typeof AIDS)[number];

const Pattern = v.pipe(v.string(), v.maxLength(1000), v.check(isPattern, "a regular expression"));

const NodeRule = v.strictObject({
  op: v.optional(v.string()),
  node: v.optional(Pattern),
  /** `float`: the node is left as it is. */
  precision: v.optional(v.picklist(["float"])),
  /** One weight scale an output channel, or one a tensor. */
  granularity: v.optional(v.picklist(["per-channel", "per-tensor"])),
});

const TensorRule = v.strictObject({ tensor: Pattern, calibrator: CalibratorSchema });

const RecipeSchema = v.strictObject({
  preset: v.optional(v.picklist(Object.keys(PRESETS) as [PresetName, ...PresetName[]]), "int8"),
  calibrator: v.optional(CalibratorSchema, "mse"),
  aids: v.optional(v.array(v.picklist(AIDS)), []),
  rules: v.optional(v.pipe(v.array(v.union([TensorRule, NodeRule])), v.maxLength(1000)), []),
});

/** A recipe with everything filled in. */
export type Recipe = Readonly<v.InferOutput<typeof RecipeSchema>>;

/** A recipe as it is written: everything may be left out. */
export type RecipeInput = v.InferInput<typeof RecipeSchema>;

/** What the rules say about one node. */
export type NodeSettings = Pick<v.InferOutput<typeof NodeRule>, "precision" | "granularity">;

/**
 * Checks a recipe and fills in what it leaves out.
 *
 * @throws DistillateError `recipe-invalid`, naming each fault and its place.
 */
export function parseRecipe(input: unknown): Recipe {
  const result = v.safeParse(RecipeSchema, input);
  if (result.success) return result.output;
  const faults = result.issues.map((issue) => `${v.getDotPath(issue) ?? "recipe"}: ${issue.message}`);
  throw new DistillateError({
    code: "recipe-invalid",
    message: `the quantisation recipe has ${faults.length} faults: ${faults.slice(0, 10).join("; ")}`,
    hint: `Presets are ${Object.keys(PRESETS).join(", ")}; docs/quantization.md shows a whole recipe.`,
  });
}

/** What a recipe says about a node. */
export function settingsOf({ rules }: Recipe, { op, name }: Node): NodeSettings {
  const settings: { -readonly [Key in keyof NodeSettings]: NodeSettings[Key] } = {};
  for (const rule of rules) {
    if ("tensor" in rule) continue;
    if (rule.op !== undefined && rule.op !== op) continue;
    if (rule.node !== undefined && !new RegExp(rule.node, "u").test(name)) continue;
    if (rule.precision !== undefined) settings.precision = rule.precision;
    if (rule.granularity !== undefined) settings.granularity = rule.granularity;
  }
  return settings;
}

/** The calibrator of a tensor. */
export function calibratorOf({ calibrator, rules }: Recipe, tensor: Edge): CalibratorSpec {
  const rule = rules.findLast((one) => "tensor" in one && new RegExp(one.tensor, "u").test(tensor));
  return rule !== undefined && "tensor" in rule ? rule.calibrator : calibrator;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}
