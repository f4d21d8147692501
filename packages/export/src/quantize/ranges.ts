/** Min-max calibration: the smallest and largest value of every activation over the samples. */
import { DistillateError } from "@distillate/bundle";
import type { Edge, Feeds, Graph, Runner } from "../graph.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatsOf } from "../tensor.ts";

/** The range of an activation, always with zero in it. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Runs the float graph over samples with every activation as an extra output, and keeps two numbers for each: memory does not
 * grow with the samples.
 *
 * @throws DistillateError `calibration-empty` without samples, `calibration-not-finite` naming the tensor.
 */
export async function collectRanges(
  graph: Graph,
  run: Runner,
  samples: Iterable<Feeds>,
): Promise<ReadonlyMap<Edge, Range>> {
  const outputs = new Map([...graph.outputs.map((value) => [value.name, value] as const), ...graph.values]);
  const observed = { ...graph, outputs: [...outputs.values()] };
  const model = await run(encodeModel(observed, { producer: "distillate", producerVersion: "calibration" }), {
    optimization: "disabled",
  });
  const ranges = new Map<Edge, { min: number; max: number }>();
  let batches = 0;
  try {
    for (const feeds of samples) {
      batches++;
      for (const [edge, tensor] of Object.entries({ ...feeds, ...(await model.run(feeds)) })) {
        const range = ranges.get(edge) ?? { min: 0, max: 0 };
        for (const value of floatsOf(tensor)) {
          if (!Number.isFinite(value)) throw notFinite(edge, value, batches);
          if (value < range.min) range.min = value;
          if (value > range.max) range.max = value;
        }
        ranges.set(edge, range);
      }
    }
  } finally {
    await model.dispose();
  }
  if (batches > 0) return ranges;
  throw new DistillateError({
    code: "calibration-empty",
    message: "there are no calibration samples, expected at least one",
    hint: "Give samples that look like what the model will see; a few hundred are enough.",
  });
}

function notFinite(edge: Edge, value: number, batch: number): DistillateError {
  return new DistillateError({
    code: "calibration-not-finite",
    message: `tensor ${edge} is ${value} in calibration batch ${batch}`,
    hint: "Check the samples and their normalisation; a model that overflows cannot be quantised.",
  });
}
