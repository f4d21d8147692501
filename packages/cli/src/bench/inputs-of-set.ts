import { INPUT_ARRAYS, type InputTensor, type InputType } from "@distillate/bench";
import { DistillateError } from "@distillate/bundle";
import type { Feeds, Graph } from "@distillate/export";
import type { CalibrationSet } from "../commands/calibration-set.ts";
import type { BenchInputs } from "./bench-inputs.ts";

/** What every process and page holds. */
const MOST = { samples: 1000, bytes: 64_000_000 } as const;

/** A benchmark's inputs from a calibration set: its labelled images where it has them, else the rows that ranges are measured on. */
export async function inputsOfSet({ inputs }: Graph, set: CalibrationSet): Promise<BenchInputs> {
  const held = set.labelled !== undefined && set.labelled.classes.length > 0 ? set.labelled : undefined;
  const parts: Feeds[] = [];
  let [samples, bytes] = [0, 0];
  for await (const feeds of (held ?? set).samples() as AsyncIterable<Feeds>) {
    parts.push(feeds);
    samples += feeds[inputs[0]!.name]!.shape[0]!;
    for (const { bytes: some } of Object.values(feeds)) bytes += some.byteLength;
    if (samples >= MOST.samples || bytes >= MOST.bytes) break;
  }
  const tensors = inputs.map(({ name, dtype }): InputTensor => {
    if (!(dtype in INPUT_ARRAYS)) {
      throw new DistillateError({
        code: "input-unsupported",
        message: `the model's input "${name}" is ${dtype}`,
        hint: `Inputs of ${Object.keys(INPUT_ARRAYS).join(", ")} can be measured.`,
      });
    }
    const joined = Buffer.concat(parts.map((feeds) => feeds[name]!.bytes));
    const data = new INPUT_ARRAYS[dtype as InputType](new Uint8Array(joined).buffer);
    return { name, dtype: dtype as InputType, row: parts[0]![name]!.shape.slice(1), data };
  });
  const what = held === undefined ? `${samples} ${set.what}` : `${samples} held-out images`;
  return {
    inputs: { samples, tensors },
    source: what,
    ...(held && { labels: Uint16Array.from(held.classes.slice(0, samples)) }),
    ...(held === undefined && { note: "accuracy is not measured, there are no labels: agreement with fp32 is" }),
  };
}
