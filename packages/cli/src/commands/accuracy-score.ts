import { argmax } from "@distillate/bundle";
import { type Calibration, compact, encodeModel, type Feeds, type Graph, type Score } from "@distillate/export";
import { nodeRunner } from "../pipeline/node-runner.ts";
import type { CalibrationSet } from "./calibration-set.ts";

/** What a score is of, for people. */
export interface NamedScore {
  readonly what: string;
  readonly score: Score;
}

/**
 * What quantisation is held to, in points: accuracy on images that ranges are not measured on; without labels, the share of
 * samples on which the model names the class that the float model names.
 */
export async function scoreOf(float: Graph, { labelled, samples }: CalibrationSet): Promise<NamedScore> {
  const classes = labelled?.classes ?? (await answersOf(float, samples));
  const score = async (graph: Graph): Promise<number> => {
    const found = await answersOf(graph, labelled?.samples ?? samples);
    return (100 * found.filter((answer, i) => answer === classes[i]).length) / classes.length;
  };
  return { what: labelled ? `accuracy on ${classes.length} held-out images` : "agreement with the float model", score };
}

/** The place of the largest first output, sample by sample, in the runtime as it would serve the file. */
async function answersOf(graph: Graph, samples: Calibration["samples"]): Promise<readonly number[]> {
  const model = await nodeRunner(encodeModel(compact(graph), { producer: "distillate", producerVersion: "score" }));
  const output = graph.outputs[0]!.name;
  const answers: number[] = [];
  try {
    for await (const feeds of samples() as AsyncIterable<Feeds>) {
      const { bytes, shape } = (await model.run(feeds))[output]!;
      const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      const width = values.length / (shape[0] ?? 1);
      for (let row = 0; row < values.length; row += width) answers.push(argmax(values, row, width));
    }
  } finally {
    await model.dispose();
  }
  return answers;
}
