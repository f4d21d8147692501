/**
 * Bias correction: rounding weights and inputs shifts the mean of a layer's sums, and a shift does not average out behind it.
 * Layer by layer from the input on, with the layers before it already corrected,
 *
 *   b_c <- b_c + E[y_c] - E[y'_c]
 *
 * where y are the sums in the float graph and y' in the integer one, c a channel, and the mean is over samples and places.
 * Nagel et al. 2019 (arXiv 1906.04721), section 4.2, the empirical form.
 */
import type { Edge, Graph, Tensor } from "../../graph.ts";
import { floatsOf, floatTensor } from "../../tensor.ts";
import type { AidAfter, AidNote } from "../aids.ts";
import type { Calibration } from "../calibrate/observe.ts";
import { weightedNodes } from "../weighted-nodes.ts";
import { watch } from "./watch.ts";

/** Both means are over the same samples, so that few of them are enough. */
const SAMPLES = 128;

/** See the file's header. */
export const correctBias: AidAfter = async (state, context) => {
  const nodes = weightedNodes(state.graph, context.plan);
  const expected = await meansOf(
    state.graph,
    nodes.map(({ node }) => node.outputs[0]!),
    context,
  );
  const notes: AidNote[] = [];
  let corrected = state;
  for (const { node, biasEdge, bias, weight, axis } of nodes) {
    const readers = state.graph.nodes.filter(({ inputs }) => inputs.includes(biasEdge ?? ""));
    if (
      biasEdge === undefined ||
      bias === undefined ||
      readers.length > 1 ||
      floatsOf(bias).length !== weight.shape[axis]
    ) {
      notes.push({
        aid: "correct-bias",
        node: node.name,
        done: false,
        what: "it has no bias of its own, one a channel",
      });
      continue;
    }
    const integer = context.write(corrected);
    // Behind a model's output stands its own pair: the sums have another name there.
    const sums = integer.nodes.find(({ name }) => name === node.name)!.outputs[0]!;
    const found = (await meansOf(integer, [sums], context)).get(sums)!;
    const wanted = expected.get(node.outputs[0]!)!;
    const values = floatsOf(bias).map((value, channel) => value + wanted[channel]! - found[channel]!);
    const graph = {
      ...corrected.graph,
      constants: new Map(corrected.graph.constants).set(biasEdge, floatTensor(values, bias.shape)),
    };
    corrected = { ...corrected, graph };
    const most = found.reduce((largest, mean, channel) => Math.max(largest, Math.abs(wanted[channel]! - mean)), 0);
    notes.push({ aid: "correct-bias", node: node.name, done: true, what: `moved by ${most.toPrecision(3)} at most` });
  }
  return { state: corrected, notes };
};

/** Means of each channel, the second axis. */
async function meansOf(
  graph: Graph,
  edges: readonly Edge[],
  calibration: Calibration,
): Promise<ReadonlyMap<Edge, Float64Array>> {
  const sums = new Map<Edge, { readonly values: Float64Array; count: number }>();
  await watch(graph, edges, calibration, SAMPLES, (edge, tensor: Tensor) => {
    const [batch, channels] = tensor.shape as [number, number];
    const values = floatsOf(tensor);
    const places = values.length / batch / channels;
    const sum = sums.get(edge) ?? { values: new Float64Array(channels), count: 0 };
    for (const [i, value] of values.entries()) sum.values[Math.floor(i / places) % channels]! += value;
    sum.count += batch * places;
    sums.set(edge, sum);
  });
  return new Map([...sums].map(([edge, { values, count }]) => [edge, values.map((value) => value / count)] as const));
}
