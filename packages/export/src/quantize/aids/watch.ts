import type { Edge, Graph, Tensor } from "../../graph.ts";
import { encodeModel } from "../../onnx/encode.ts";
import type { Calibration } from "../calibrate/observe.ts";
import { smallBatches } from "../calibrate/small-batches.ts";

/** Runs a graph as it is written over the first `most` samples, and shows some of its tensors batch by batch. */
export async function watch(
  graph: Graph,
  edges: readonly Edge[],
  { run, samples }: Calibration,
  most: number,
  see: (edge: Edge, tensor: Tensor) => void,
): Promise<void> {
  const outputs = edges.filter((edge) => graph.values.has(edge)).map((edge) => graph.values.get(edge)!);
  const watched = { ...graph, outputs: outputs.length > 0 ? outputs : graph.outputs };
  const metadata = { producer: "distillate", producerVersion: "calibration" };
  const model = await run(encodeModel(watched, metadata), { optimization: "disabled" });
  try {
    let count = 0;
    for await (const feeds of smallBatches(graph, samples)) {
      const found = { ...feeds, ...(await model.run(feeds)) };
      for (const edge of edges) see(edge, found[edge]!);
      count += Object.values(feeds)[0]?.shape[0] ?? 1;
      if (count >= most) break;
    }
  } finally {
    await model.dispose();
  }
}
