import { type Comparison, compareModels, type Feeds, type Graph } from "@distillate/export";
import { nextUnit, randomFor } from "@distillate/train";
import { nodeRunner } from "../pipeline/node-runner.ts";
import { UsageError } from "../usage.ts";
import { type CalibrationArgs, calibrationSet } from "./calibration-set.ts";
import { readOnnx } from "./model-files.ts";

/** Two `.onnx` files on the same samples, tensor by tensor: those of `--data`, or noise where there are none. */
export async function verifyPair(
  paths: readonly [string, string],
  args: Omit<CalibrationArgs, "data"> & { readonly data?: string | undefined },
): Promise<Comparison> {
  const [first, second] = await Promise.all(paths.map(readOnnx));
  const { data } = args;
  const set = data === undefined ? undefined : await calibrationSet(first!, paths[0], { ...args, data });
  try {
    const samples = set?.samples ?? (() => [noiseFor(first!.graph, args.samples, Number(args.seed ?? 1))]);
    return await compareModels(first!.graph, second!.graph, { run: nodeRunner, samples });
  } finally {
    await set?.close();
  }
}

/** One batch of uniform numbers between -1 and 1. */
function noiseFor({ inputs }: Graph, samples: number, seed: number): Feeds {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape: [batch, ...row] }, place) => {
      const open = row.find((size) => typeof size === "string");
      if (dtype !== "float32" || open !== undefined)
        throw new UsageError(`input ${name} is ${dtype} [${row.join(", ")}]: give samples for it with --data`);
      const shape = [typeof batch === "number" ? batch : samples, ...(row as readonly number[])];
      const random = randomFor(seed, place);
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * nextUnit(random) - 1);
      return [name, { dtype: "float32" as const, shape, bytes: new Uint8Array(values.buffer) }] as const;
    }),
  );
}
