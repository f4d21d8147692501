import type { Graph } from "../../graph.ts";
import { castFloat16 } from "../../passes/cast-float16.ts";
import type { StoredPreset } from "../presets.ts";
import type { TensorReport } from "../report.ts";
import { storeInt4Weights } from "./int4-weights.ts";
import { storeInt8Weights } from "./int8-weights.ts";

/** Stores the weights of a float graph as a preset says, and tells what became of each. */
export function storeWeights(
  graph: Graph,
  { weights }: StoredPreset,
): { readonly graph: Graph; readonly tensors: readonly TensorReport[] } {
  if (weights === "int8") return storeInt8Weights(graph);
  if (weights === "int4") return storeInt4Weights(graph);
  const { graph: half, kept } = castFloat16(graph);
  const stays = new Set(kept.map(({ node }) => node));
  const tensors = graph.nodes.flatMap((node) =>
    node.inputs
      .filter((edge) => graph.constants.get(edge)?.dtype === "float32")
      .map(
        (tensor): TensorReport =>
          stays.has(node.name)
            ? { tensor, role: "weight", dtype: "float32", reason: "beyond-float16" }
            : { tensor, role: "weight", dtype: "float16", reason: "halved" },
      ),
  );
  return { graph: half, tensors };
}
