/** From what a caller passes to what an engine takes. */
import { DistillateError } from "@distillate/bundle";
import type { EngineContract, EngineInput, TensorValues } from "../engine/engine.ts";
import { type ImageInput, takeImage } from "./image.ts";

/** Values that are already what the model's input wants: a row of one sample, or with its dimensions. */
export type TensorInput = Float32Array | TensorValues;

/** One sample. */
export type ModelInput = ImageInput | TensorInput;

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
export async function takeInput(samples: readonly unknown[], contract: EngineContract): Promise<TakenInput> {
  if (samples.length > 0 && samples.every(isTensor)) {
    return { input: stackTensors(samples as readonly TensorInput[], contract), release: () => {} };
  }
  const taken = await Promise.all(samples.map(takeImage));
  const missing = taken.indexOf(undefined);
  if (missing >= 0 || samples.length === 0) {
    for (const each of taken) each?.release();
    throw new DistillateError({
      code: "input-unsupported",
      message: `the input is ${samples.length === 0 ? "an empty list" : describe(samples[missing])}, expected a picture`,
      hint: "Pass an ImageBitmap, ImageData, <img>, <canvas>, <video>, VideoFrame, Blob, encoded bytes, { data, width, height } or a tensor.",
    });
  }
  const images = taken.map((each) => each!.image);
  return {
    input: { kind: "images", images },
    release: () => {
      for (const each of taken) each!.release();
    },
  };
}

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
