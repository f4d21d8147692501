/** What the benchmark and its outside yardsticks both run: given files, else untrained models in the sizes that recipes ship. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import type { InputSet } from "@distillate/bench";
import { selectEngine } from "@distillate/train";
import { InferenceSession } from "onnxruntime-node";
import { exportSeeded } from "../fixtures/exported-models.ts";

/** A file and one sample for it. */
export interface YardstickModel {
  readonly name: string;
  readonly path: string;
  readonly inputs: InputSet;
}

/** The smallest is there to show what a call itself costs; the others are the students of MLPerf Tiny's widths. */
const SHIPPED = [
  { name: "cnn", config: { name: "cnn", filters: [8, 16], dense: 0 }, shape: [28, 28, 1] },
  { name: "ds-cnn", config: { name: "ds-cnn", filters: 64, blocks: 4 }, shape: [49, 40, 1] },
  { name: "resnet-8", config: { name: "resnet-8", filters: 16 }, shape: [32, 32, 3] },
  { name: "resnet-8-wide", config: { name: "resnet-8", filters: 32 }, shape: [32, 32, 3] },
] as const;

/** Opens them. Open dimensions of a given file are taken as 1. */
export async function yardstickModels(files: readonly string[]): Promise<readonly YardstickModel[]> {
  const paths = files.length > 0 ? files.map((file) => resolve(file)) : await exportShipped();
  return Promise.all(
    paths.map(async (path) => ({ name: basename(path, ".onnx"), path, inputs: await inputsFor(path) })),
  );
}

async function exportShipped(): Promise<readonly string[]> {
  await selectEngine({ engine: "wasm" });
  const directory = await mkdtemp(join(tmpdir(), "distillate-yardstick-"));
  const paths: string[] = [];
  for (const { name, config, shape } of SHIPPED) {
    const { files } = await exportSeeded(config, shape);
    for (const variant of ["fp32", "int8"] as const) {
      const path = join(directory, `${name}.${variant}.onnx`);
      await writeFile(path, files[variant]);
      paths.push(path);
    }
  }
  return paths;
}

async function inputsFor(path: string): Promise<InputSet> {
  const session = await InferenceSession.create(path);
  const tensors = session.inputMetadata.map((input) => {
    const row = input.isTensor ? input.shape.slice(1).map((side) => (typeof side === "number" ? side : 1)) : [];
    const length = row.reduce((product, side) => product * side, 1);
    const data = Float32Array.from({ length }, (_, i) => (i % 97) / 97);
    return { name: input.name, dtype: "float32" as const, row, data };
  });
  await session.release();
  return { samples: 1, tensors };
}
