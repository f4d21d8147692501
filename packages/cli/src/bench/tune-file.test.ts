import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeModel, encodeModel, type Feeds, type Graph, parseRecipe } from "@distillate/export";
import { expect, test } from "vitest";
import type { CalibrationSet } from "../commands/calibration-set.ts";
import type { TuneOptions } from "./measure-variants.ts";
import { noise, tiny } from "./tiny-graph.test.helper.ts";
import { tuneFile } from "./tune-file.ts";

const OPTIONS: TuneOptions = {
  allowedDrop: 100,
  seed: 1,
  rule: { name: "moment", runs: 4, milliseconds: 40, patience: 1, coldStarts: 1 },
  targets: "node,wasm",
  execArgv: ["--import", "tsx", "--conditions=@distillate/source"],
  signal: new AbortController().signal,
  onEvent: () => undefined,
};

async function write(graph: Graph): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "distillate-tune-file-")), "tiny.fp32.onnx");
  await writeFile(path, encodeModel(graph, { producer: "test", producerVersion: "1" }));
  return path;
}

const batches = (): Feeds[] => [{ input: noise([8, 1, 8, 8], 3) }, { input: noise([8, 1, 8, 8], 4) }];
const labelled: CalibrationSet = {
  samples: batches,
  what: "images",
  labelled: { samples: batches, classes: Array.from({ length: 16 }, (_, i) => i % 10) },
  close: async () => undefined,
};

test("a file with samples: four forms, in order on each backend; the chosen ones are written beside it", async () => {
  const path = await write(tiny);
  const model = { ...decodeModel(await readFile(path)), bytes: new Uint8Array() };
  const tuned = await tuneFile({ model, path, recipe: parseRecipe({}), set: labelled }, OPTIONS);
  expect(tuned.leftOut).toEqual([]);
  expect(tuned.report.targets.map(({ model: id, problem }) => [id, problem])).toEqual(
    [1, 2].flatMap(() => ["fp32", "int8", "int8-weights", "fp16"].map((id) => [id, undefined])),
  );
  expect(tuned.report.targets[0]!.quality).toMatchObject({ samples: 16, accuracy: expect.any(Number) });
  for (const { variant, order, speed } of tuned.choices) {
    expect(order.map((one) => one.variant).sort()).toEqual(["fp16", "fp32", "int8", "int8-weights"]);
    expect(order.map(({ p50 }) => p50)).toEqual(order.map(({ p50 }) => p50).sort((a, b) => a - b));
    // The promise: what is recommended is no slower than fp32, but for a tie.
    if (variant !== order[0]!.variant) expect(speed[0]).toBeGreaterThanOrEqual(1 / 1.02);
  }
  const chosen = [...new Set(tuned.choices.map(({ variant }) => variant))].filter((variant) => variant !== "fp32");
  const beside = (await readdir(join(path, ".."))).sort();
  expect(beside).toEqual(
    ["tiny.fp32.onnx", "tiny.tune.json", ...chosen.map((variant) => `tiny.${variant}.onnx`)].sort(),
  );
});

test("what can't be made is named with its reason, and the rest is measured", async () => {
  const path = await write(tiny);
  const model = { ...decodeModel(await readFile(path)), bytes: new Uint8Array() };
  const { leftOut, report } = await tuneFile(
    { model, path, recipe: parseRecipe({ preset: "int8-7bit" }), set: undefined },
    { ...OPTIONS, targets: "node" },
  );
  expect(leftOut).toEqual([{ variant: "int8-7bit", why: "needs --data PATH to measure ranges on" }]);
  expect(report.targets.map(({ model: id }) => id)).toEqual(["fp32", "int8-weights", "fp16"]);
  expect(report.notes.map(({ message }) => message)).toContainEqual(
    expect.stringContaining("accuracy is not measured"),
  );

  // Images of another size than the model takes.
  const odd = { ...labelled, samples: () => [{ input: noise([8, 1, 4, 4], 3) }] };
  const again = await tuneFile({ model, path, recipe: parseRecipe({}), set: odd }, { ...OPTIONS, targets: "node" });
  expect(again.leftOut).toEqual([{ variant: "int8", why: expect.stringContaining("[8, 1, 4, 4]") }]);
});
