/** Runs the float graph over samples with the tensors to be measured as extra outputs; one calibrator watches each. */
import { DistillateError } from "@distillate/bundle";
import type { Edge, Feeds, Graph, Runner, Value } from "../../graph.ts";
import { encodeModel } from "../../onnx/encode.ts";
import type { Range } from "../affine.ts";
import type { Calibrator } from "./calibrator.ts";
import { watchedGraph } from "./watched-graph.ts";

/** How a graph is run, and on what. */
export interface Calibration {
  readonly run: Runner;
  /** Starts one pass over the samples: batches of model inputs. Called once for each pass. */
  readonly samples: () => Iterable<Feeds> | AsyncIterable<Feeds>;
}

/** Ranges by tensor, and how many samples they are from. */
export interface Observed {
  readonly ranges: ReadonlyMap<Edge, Range>;
  readonly samples: number;
}

/**
 * Measures the range of each tensor in one pass; memory does not grow with the samples.
 *
 * @throws DistillateError `calibration-empty` without samples, `calibration-mismatch` for a sample that does not fit the inputs,
 * `calibration-not-finite` naming the tensor.
 */
export async function observe(
  graph: Graph,
  calibrators: ReadonlyMap<Edge, Calibrator>,
  { run, samples }: Calibration,
): Promise<Observed> {
  const { graph: watched, see } = watchedGraph(graph, calibrators);
  const model = await run(encodeModel(watched, { producer: "distillate", producerVersion: "calibration" }));
  let count = 0;
  try {
    for await (const feeds of samples()) {
      for (const input of graph.inputs) checkShape(input, feeds[input.name]?.shape);
      const size = feeds[graph.inputs[0]!.name]!.shape[0] ?? 1;
      const found = { ...feeds, ...(await model.run(feeds)) };
      for (const [edge, calibrator] of calibrators) {
        const seen = see(edge, found, size);
        if (!areFinite(seen.values))
          throw notFinite(edge, seen.values.find((value) => !Number.isFinite(value))!, count, size);
        calibrator.observe(seen.values, seen.samples);
      }
      count += size;
    }
  } finally {
    await model.dispose();
  }
  if (count === 0) throw empty();
  return {
    ranges: new Map([...calibrators].map(([edge, calibrator]) => [edge, calibrator.range()] as const)),
    samples: count,
  };
}

/** Nothing but NaN stays NaN, and nothing but NaN and infinity becomes it, times zero. */
function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}

function checkShape({ name, shape }: Value, found: readonly number[] | undefined): void {
  const fits =
    found?.length === shape.length && shape.every((size, i) => typeof size === "string" || size === found[i]);
  if (fits) return;
  throw new DistillateError({
    code: "calibration-mismatch",
    message: `a calibration sample for input ${name} ${found === undefined ? "is missing" : `has shape [${found.join(", ")}]`}, expected [${shape.join(", ")}]`,
    hint: "Give samples prepared as the model's inputs are, the batch as first axis.",
  });
}

function notFinite(edge: Edge, value: number, before: number, size: number): DistillateError {
  return new DistillateError({
    code: "calibration-not-finite",
    message: `tensor ${edge} is ${value} in calibration samples ${before} to ${before + size - 1}`,
    hint: "Check the samples and their normalisation; a model that overflows cannot be quantised.",
  });
}

function empty(): DistillateError {
  return new DistillateError({
    code: "calibration-empty",
    message: "there are no calibration samples, expected at least one",
    hint: "Give samples that look like what the model will see; a few hundred are enough.",
  });
}
