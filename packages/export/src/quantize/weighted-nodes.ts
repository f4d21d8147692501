import type { Edge, Graph, Node, Tensor } from "../graph.ts";
import { affineFor } from "./affine.ts";
import type { Calibrated } from "./aids.ts";
import type { Plan } from "./plan.ts";
import { channelAxis, POLICY } from "./policy.ts";
import type { StaticPreset } from "./presets.ts";
import { weightScales } from "./quantize-constant.ts";
import { type Recipe, settingsOf } from "./recipe.ts";

/** A node that multiplies by constant weights in integers. */
export interface WeightedNode {
  readonly node: Node;
  readonly edge: Edge;
  readonly weight: Tensor;
  readonly biasEdge: Edge | undefined;
  readonly bias: Tensor | undefined;
  /** Where the weight has its output channels. */
  readonly axis: number;
}

/** Reads a node's constants. */
export function weightedNode(graph: Graph, node: Node): WeightedNode {
  const [, edge, biasEdge] = node.inputs as [Edge, Edge, Edge | undefined];
  const [weight, bias] = [graph.constants.get(edge)!, graph.constants.get(biasEdge ?? "")];
  return { node, edge, weight, biasEdge, bias, axis: channelAxis(node) };
}

/** All of a planned graph, in its order. */
export function weightedNodes(graph: Graph, plan: Plan): readonly WeightedNode[] {
  return graph.nodes
    .filter(({ op, name }) => plan.integer.has(name) && POLICY[op]?.rule === "weighted")
    .map((node) => weightedNode(graph, node));
}

/** The scales of its weight: those that an aid chose, or from the largest magnitudes. */
export function scalesOf(
  { node, edge, weight, bias, axis }: WeightedNode,
  { ranges, weightScales: chosen }: Calibrated,
  { plan, recipe, preset }: { readonly plan: Plan; readonly recipe: Recipe; readonly preset: StaticPreset },
): Float32Array {
  return (
    chosen.get(edge) ??
    weightScales(weight, {
      axis,
      perChannel: settingsOf(recipe, node).granularity !== "per-tensor",
      limit: preset.weightLimit,
      bias: preset.biases === "int32" ? bias : undefined,
      inputScale: affineFor(ranges.get(plan.sources.get(node.inputs[0]!)!)!, preset.activations).scale,
    })
  );
}
