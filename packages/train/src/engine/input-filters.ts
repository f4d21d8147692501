/**
 * Filters that read what a network is given. Nobody asks for the gradient there, but tfjs' fused convolution computes it all the
 * same; an engine that knows these filters leaves it out.
 */
import type { DataId } from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

let known: ReadonlySet<DataId> = new Set();

/** Names the filters of the network that takes the next step: those of layers that read its input and nothing else. */
export function nameInputFilters(model: LayersModel): void {
  const inputs = new Set(model.inputs.map(({ id }) => id));
  const readers = model.layers.filter(
    ({ weights, inboundNodes }) =>
      weights.length > 0 &&
      inboundNodes.length === 1 &&
      inboundNodes[0]!.inputTensors.every(({ id }) => inputs.has(id)),
  );
  known = new Set(readers.map(({ weights }) => weights[0]!.read().dataId));
}

/** Whether a convolution with this filter reads a network's input. */
export function readsInput(filter: DataId): boolean {
  return known.has(filter);
}
