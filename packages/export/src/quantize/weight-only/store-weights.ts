import type { Graph, Node } from "../../graph.ts";
import { castFloat16 } from "../../passes/cast-float16.ts";
import type { StoredPreset } from "../presets.ts";
import { type Recipe, settingsOf } from "../recipe.ts";
import type { TensorReport } from "../report.ts";
import { storeInt4Weights } from "./int4-weights.ts";
import { storeInt8Weights } from "./int8-weights.ts";
import { type StoredWeight, weightsOf } from "./weight-inputs.ts";

const RULE = "rule-says-float";

/** Stores the weights of a float graph as a preset says, those that no rule keeps, and tells what became of each. */
export function storeWeights(
  graph: Graph,
  { weights }: StoredPreset,
  recipe: Recipe,
): { readonly graph: Graph; readonly tensors: readonly TensorReport[] } {
  const isKept = (node: Node): boolean => settingsOf(recipe, node).precision === "float";
  if (weights !== "float16") {
    const isFree = ({ readers }: StoredWeight): boolean => !readers.some(isKept);
    const { graph: stored, tensors } = (weights === "int8" ? storeInt8Weights : storeInt4Weights)(graph, isFree);
    const kept = weightsOf(graph).filter((weight) => !isFree(weight));
    const named = kept.map(({ edge: tensor }) => ({ tensor, role: "weight", dtype: "float32", reason: RULE }) as const);
    return { graph: stored, tensors: [...tensors, ...named] };
  }
  const { graph: half, kept } = castFloat16(graph, (node) => (isKept(node) ? RULE : undefined));
  const reasons = new Map(kept.map(({ node, reason }) => [node, reason === RULE ? RULE : "beyond-float16"] as const));
  const tensors = graph.nodes.flatMap((node) =>
    node.inputs
      .filter((edge) => graph.constants.get(edge)?.dtype === "float32")
      .map(
        (tensor): TensorReport =>
          reasons.has(node.name)
            ? { tensor, role: "weight", dtype: "float32", reason: reasons.get(node.name)! }
            : { tensor, role: "weight", dtype: "float16", reason: "halved" },
      ),
  );
  return { graph: half, tensors };
}
