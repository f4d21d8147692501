/** From what a caller passes to what an engine takes. */
import { DistillateError, type Manifest } from "@distillate/bundle";
import type { EngineContract, EngineInput, TensorValues } from "../engine/engine.ts";
import { type ImageInput, takeImage } from "./image.ts";

/** Values that are already what the model's input wants: a row of one sample, or with its dimensions. */
export type TensorInput = Float32Array | TensorValues;

/** What a model is for. */
export type Task = Manifest["task"];

/** One sample, by task. Tasks join as their bundles do; until then {@link takeInput} refuses their input by name. */
export interface InputByTask {
  readonly "image-classification": ImageInput | TensorInput;
}

/** One sample. */
export type ModelInput = InputByTask[keyof InputByTask];

/** Samples for one call, and what to let go of afterwards. */
export interface TakenInput {
  readonly input: EngineInput;
  readonly release: () => void;
}

/**
 * Takes samples; all of one call are of one sort.
 *
 * @throws DistillateError `input-unsupported` or `shape-mismatch`, with what was found and what the model takes.
 */
export async function takeInput(
  samples: readonly unknown[],
  contract: EngineContract & { readonly task: Task },
): Promise<TakenInput> {
  if (samples.length > 0 && samples.every(isTensor)) {
    return { input: stackTensors(samples as readonly TensorInput[], contract), release: () => {} };
  }
  const settled = await Promise.allSettled(samples.map(takeImage));
  const taken = settled.map((each) => (each.status === "fulfilled" ? each.value : undefined));
  const release = (): void => {
    for (const each of taken) each?.release();
  };
  const missing = taken.indexOf(undefined);
  if (missing >= 0 || samples.length === 0) {
    release();
    const failure = settled.find((each) => each.status === "rejected");
    throw failure ? failure.reason : unsupported(samples, samples[missing], contract.task);
  }
  return { input: { kind: "images", images: taken.map((each) => each!.image) }, release };
}

function unsupported(samples: readonly unknown[], odd: unknown, task: Task): DistillateError {
  const found = samples.length === 0 ? "an empty list" : describe(odd);
  const other = TASK_OF_INPUT.find(({ is }) => is(odd));
  return new DistillateError({
    code: "input-unsupported",
    message: `the input is ${found}; this bundle's task is ${task}, which takes pictures`,
    hint:
      other && other.task !== task
        ? `${other.what} is for a bundle of the task ${other.task}; load such a one, or pass this one a picture.`
        : "Pass an ImageBitmap, ImageData, <img>, <canvas>, <video>, VideoFrame, Blob, encoded bytes, { data, width, height } or a tensor; all samples of a list alike.",
  });
}

/** What belongs to another task is recognised, so that the error can say where it belongs. */
const TASK_OF_INPUT: readonly {
  readonly task: Task;
  readonly what: string;
  readonly is: (input: unknown) => boolean;
}[] = [
  { task: "text-classification", what: "Text", is: (input) => typeof input === "string" },
  {
    task: "audio-classification",
    what: "Sound",
    is: (input) => typeof input === "object" && input !== null && ("sampleRate" in input || "getChannelData" in input),
  },
];

function isTensor(sample: unknown): boolean {
  return sample instanceof Float32Array || (typeof sample === "object" && sample !== null && "dims" in sample);
}

/** Rows of one tensor; each must be as large as the manifest says. */
function stackTensors(samples: readonly TensorInput[], { inputs }: EngineContract): EngineInput {
  const { name, shape, dtype } = inputs[0]!;
  const row = shape.slice(1).map(Number);
  const size = row.reduce((product, side) => product * side, 1);
  if (dtype !== "float32" || row.some(Number.isNaN)) {
    throw new DistillateError({
      code: "input-unsupported",
      message: `input "${name}" is ${dtype} [${shape.join(", ")}]: single rows cannot be stacked`,
      hint: "Pass whole tensors to `model.runTensors`.",
    });
  }
  const data = new Float32Array(samples.length * size);
  for (const [i, sample] of samples.entries()) {
    const values = sample instanceof Float32Array ? sample : sample.data;
    const dims = sample instanceof Float32Array ? undefined : sample.dims;
    const fits = values.length === size && (dims === undefined || endsWith(dims, row));
    if (!fits) {
      throw new DistillateError({
        code: "shape-mismatch",
        message: `the input has ${values.length} values${dims ? ` [${dims.join(", ")}]` : ""}, expected ${size} [${row.join(", ")}]`,
        hint: "Pass one sample, prepared as the manifest's `preprocess` says; or a picture, and the model prepares it.",
      });
    }
    data.set(values as Float32Array, i * size);
  }
  return { kind: "tensors", tensors: { [name]: { data, dims: [samples.length, ...row] } } };
}

/** Whether only ones stand before the row's own dimensions. */
function endsWith(dims: readonly number[], row: readonly number[]): boolean {
  const lead = dims.length - row.length;
  return lead >= 0 && dims.every((side, i) => side === (i < lead ? 1 : row[i - lead]));
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const name = (value as object).constructor?.name ?? typeof value;
  const { width, height, data } = value as { width?: unknown; height?: unknown; data?: { length?: number } };
  return width === undefined ? `a ${name}` : `a ${name} of ${width} x ${height} with ${data?.length ?? 0} values`;
}
