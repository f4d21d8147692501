/** What the README shows is run: its code as it stands, its commands against the command line's own tables. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { buildModel, selectEngine, writeCheckpoint } from "@distillate/train";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const FLAGS = ["--import", "tsx", "--conditions=@distillate/source"];

test("the code under 'As a library' runs on a student of a run", async () => {
  const code = /## As a library[\s\S]*?```ts\n([\s\S]*?)```/.exec(README)![1]!;
  const place = await mkdtemp(join(tmpdir(), "distillate-readme-"));
  await selectEngine({ engine: "wasm" });
  const model = buildModel(
    { name: "cnn", filters: [4], dense: 0, dropout: 0 },
    { shape: [28, 28, 1], classes: 10, seed: 1 },
  );
  await writeCheckpoint(join(place, "runs/mnist/student/seed-1"), model, {
    role: "student",
    seed: 1,
    labels: Array.from({ length: 10 }, (_, i) => String(i)),
    preprocess: {
      kind: "image",
      width: 28,
      height: 28,
      channels: 1,
      fit: "contain",
      scale: 1 / 255,
      mean: [0],
      std: [1],
      layout: "nhwc",
    },
    inputShape: [28, 28, 1],
    parameters: model.countParams(),
    epoch: 1,
    validationAccuracy: 0,
    history: [],
    config: {},
    dataHash: "",
    engine: "wasm",
  });
  const script = `process.chdir(${JSON.stringify(place)});\n${code}`;
  const flags = [...FLAGS, "--input-type=module", "--eval", script];
  const out = execFileSync(process.execPath, flags, {
    cwd: join(ROOT, "tests"),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  // A valid 3 x 3 convolution to 26 x 26 x 4, then 13 x 13 x 4 values to ten classes.
  expect(out).toMatch(/^digits.onnx has \d+ bytes and takes 31096 multiplications\n$/);
});

test("every command shown is there, with the flags shown", async () => {
  const lines = [...README.matchAll(/^pnpm distillate (\S+)(.*?)(?:\s#.*)?$/gm)];
  expect(lines.length).toBeGreaterThan(8);
  const main = join(ROOT, "packages/cli/src/main.ts");
  await Promise.all(
    lines.map(async ([, command, rest]) => {
      const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, main, command!, "--help"], {
        cwd: ROOT,
      });
      for (const [flag] of rest!.matchAll(/(?<=\s|\[)--?[a-z]+/g)) expect(stdout, `${command} ${flag}`).toContain(flag);
    }),
  );
});
