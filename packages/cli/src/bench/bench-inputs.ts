/** What a benchmark computes on: labelled images where the bundle's data is known, its probe where not, noise for a bare file. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { INPUT_ARRAYS, type InputSet, type InputType } from "@distillate/bench";
import { DistillateError, decodeProbe, isDistillateError, type Manifest, normalizeImage } from "@distillate/bundle";
import { nextUnit, parseConfig, type RunConfig, randomFor } from "@distillate/train";
import { InferenceSession } from "onnxruntime-node";
import type { OpenBundle } from "../commands/model-files.ts";
import { configOf } from "../commands/run-config.ts";
import { loadData } from "../pipeline/load-data.ts";
import { UsageError } from "../usage.ts";

/** Inputs with their labels and where they are from. */
export interface BenchInputs {
  readonly inputs: InputSet;
  readonly labels?: Uint16Array;
  readonly source: string;
  /** Why they are not what one would wish. */
  readonly note?: string;
}

/** Inputs are held by every process and page. */
const MOST_BYTES = 64_000_000;
const RANDOM_SAMPLES = 32;

/** Test images of the data that the bundle was trained for, prepared as its manifest says; else its probe. */
export async function inputsOfBundle(
  path: string,
  { manifest, files }: OpenBundle,
  options: { readonly data?: string | undefined; readonly set?: string | undefined; readonly samples: number },
): Promise<BenchInputs> {
  const [input] = manifest.inputs;
  const row = input!.shape.slice(1).map(Number);
  try {
    const config = await configFor(path, manifest, options);
    const { test, name } = await loadData(config);
    const size = row.reduce((product, side) => product * side, 1);
    const samples = Math.min(options.samples, test.count, Math.max(1, Math.floor(MOST_BYTES / (4 * size))));
    const data = new Float32Array(samples * size);
    const pixels = test.pixels.length / test.count;
    for (let i = 0; i < samples; i++) {
      const image = test.pixels.subarray(i * pixels, (i + 1) * pixels);
      normalizeImage(image, { ...manifest.preprocess, layout: "nchw" }, data, i * size);
    }
    return {
      inputs: { samples, tensors: [{ name: input!.name, dtype: "float32", row, data }] },
      labels: test.classes.subarray(0, samples),
      source: `${name}, the first ${samples} of ${test.count} test images`,
    };
  } catch (error) {
    // Data that was asked for by name must be there.
    if (options.data !== undefined || !(isDistillateError(error) || error instanceof UsageError)) throw error;
    if (!manifest.probe) throw error;
    const probe = decodeProbe(files.get(manifest.probe.file.path)!);
    return {
      inputs: { samples: probe.samples, tensors: [{ name: input!.name, dtype: "float32", row, data: probe.inputs }] },
      source: `the bundle's probe, ${probe.samples} samples`,
      note: `accuracy is not measured: the bundle's data is not known here (${(error as Error).message}); name it with --data DIR`,
    };
  }
}

async function configFor(
  path: string,
  { id, preprocess }: Manifest,
  { data, set }: { readonly data?: string | undefined; readonly set?: string | undefined },
): Promise<RunConfig> {
  const { width, height, channels, fit } = preprocess;
  const beside = join(resolve(path), "..", "config.json");
  const isRun =
    data === undefined &&
    (await readFile(beside).then(
      () => true,
      () => false,
    ));
  const found = await configOf({ ...(data !== undefined ? { data } : { recipe: isRun ? beside : id }), set });
  const isFolder = found.data.kind === "image-folder";
  return parseConfig({
    ...found,
    data: { ...found.data, ...(isFolder && { image: { width, height, channels, fit } }) },
  });
}

/** Seeded noise in the shapes that a file asks for. */
export async function inputsOfFile(path: string, shapes: string | undefined, seed: number): Promise<BenchInputs> {
  const given = parseShapes(shapes);
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 }).catch((cause: unknown) => {
    throw new DistillateError({
      code: "model-refused",
      message: `onnxruntime does not take ${path}: ${(cause as Error).message}`,
      hint: "Give an .onnx file; `distillate inspect FILE.onnx` shows what it is made of.",
      cause,
    });
  });
  const inputs = session.inputMetadata;
  await session.release();
  const random = randomFor(seed);
  const tensors = inputs.map((input) => {
    if (!input.isTensor || !(input.type in INPUT_ARRAYS)) {
      throw new DistillateError({
        code: "input-unsupported",
        message: `the model's input "${input.name}" is ${input.isTensor ? input.type : "no tensor"}`,
        hint: `Inputs of ${Object.keys(INPUT_ARRAYS).join(", ")} can be benchmarked.`,
      });
    }
    const dtype = input.type as InputType;
    const [, ...row] = given.get(input.name) ?? input.shape;
    const open = row.filter((side) => typeof side !== "number");
    if (open.length > 0) {
      throw new UsageError(
        `input ${input.name} is [${input.shape.join(", ")}]: say how large ${open.join(", ")} shall be, as in --shape ${input.name}=1,${row.map((side) => (typeof side === "number" ? side : 16)).join(",")}`,
      );
    }
    const sides = row as readonly number[];
    const length = RANDOM_SAMPLES * sides.reduce((product, side) => product * side, 1);
    const isFloat = dtype === "float32";
    const values = Array.from({ length }, () =>
      isFloat ? 2 * nextUnit(random) - 1 : Math.floor(2 * nextUnit(random)),
    );
    const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : INPUT_ARRAYS[dtype].from(values);
    return { name: input.name, dtype, row: sides, data };
  });
  return {
    inputs: { samples: RANDOM_SAMPLES, tensors },
    source: `noise of seed ${seed}, ${RANDOM_SAMPLES} samples`,
    note: "accuracy is not measured: a bare file has no labelled data; agreement is on noise",
  };
}

function parseShapes(text: string | undefined): ReadonlyMap<string, readonly number[]> {
  const entries = (text ?? "").split(";").filter(Boolean);
  return new Map(
    entries.map((entry) => {
      const [name, sides] = entry.split("=");
      const shape = (sides ?? "").split(",").map(Number);
      if (!name || shape.some((side) => !Number.isInteger(side) || side < 1)) {
        throw new UsageError(`--shape ${entry} is none; write NAME=1,3,224,224, several with ';' between them`);
      }
      return [name, shape];
    }),
  );
}
