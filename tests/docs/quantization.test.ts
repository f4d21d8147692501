/** What the page about quantisation shows: its commands, presets and calibrators are those that there are, its recipe is one. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { AIDS, CALIBRATORS, PRESETS, parseRecipe } from "@distillate/export";
import { parseConfig } from "@distillate/train";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = readFileSync(join(ROOT, "docs/quantization.md"), "utf8");
const rowsOf = (heading: string): string[] =>
  [
    ...PAGE.split(`## ${heading}`)[1]!
      .split("\n## ")[0]!
      .matchAll(/^\| `([\w-]+)`/gm),
  ].map(([, name]) => name!);

test("every command shown is there, with the flags shown", async () => {
  const lines = [...PAGE.matchAll(/^distillate (\S+)(.*?)(?:\s#.*)?$/gm)];
  expect(lines).toHaveLength(14);
  const main = join(ROOT, "packages/cli/src/main.ts");
  const helps = new Map<string, string>();
  for (const command of new Set(lines.map(([, name]) => name!))) {
    const flags = ["--import", "tsx", "--conditions=@distillate/source", main, command, "--help"];
    helps.set(command, (await promisify(execFile)(process.execPath, flags, { cwd: ROOT })).stdout);
  }
  for (const [, command, rest] of lines)
    for (const [flag] of rest!.matchAll(/(?<=\s)--?[a-z-]+/g)) expect(helps.get(command!), flag).toContain(flag);
});

test("its tables have every preset, every calibrator and every aid, in order", () => {
  expect(rowsOf("Presets")).toEqual(Object.keys(PRESETS));
  expect(rowsOf("Calibrators")).toEqual([...CALIBRATORS]);
  expect(rowsOf("Accuracy aids")).toEqual([...AIDS]);
});

test("its recipe is one, and a run takes the same names", () => {
  const recipe: unknown = JSON.parse(/```json\n([\s\S]*?)```/.exec(PAGE)![1]!);
  expect(parseRecipe(recipe).rules).toHaveLength(3);
  const model = { name: "cnn" };
  for (const calibrator of CALIBRATORS) {
    const quantize = { preset: "int8-7bit", calibrator, aids: ["correct-bias"] };
    const config = parseConfig({
      name: "x",
      data: { kind: "mnist" },
      teacher: { model },
      student: { model },
      quantize,
    });
    expect(config.quantize).toMatchObject(quantize);
  }
});
