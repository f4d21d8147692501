/** docs/export-graph-ops.md is OP_LOWERINGS, and both have every op that tfjs-converter runs. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { OP_LOWERINGS } from "./index.ts";

const require = createRequire(import.meta.url);
const page = readFileSync(new URL("../../../../../docs/export-graph-ops.md", import.meta.url), "utf8");
/** Lowered by the model itself. */
const OWN = ["Const", "Placeholder"];

function rows(text: string): readonly string[] {
  const cells = [...text.matchAll(/^\| ([\w, ]+) \| /gm)].flatMap(([, names]) => names!.split(", "));
  return cells.filter((name) => name !== "Op").toSorted();
}

test("the tables of ops in the docs are OP_LOWERINGS", () => {
  const [lowered, refused] = page.split("## Refused") as [string, string];
  const isRefused = (op: string): boolean => "refused" in OP_LOWERINGS[op]!;
  const ops = Object.keys(OP_LOWERINGS);
  expect(rows(lowered)).toEqual([...ops.filter((op) => !isRefused(op)), ...OWN].toSorted());
  expect(rows(refused)).toEqual(ops.filter(isRefused).toSorted());
});

test("what is refused is said with the reason and the way out that the docs give", () => {
  for (const entry of Object.values(OP_LOWERINGS))
    if ("refused" in entry) expect(page).toContain(`| ${entry.refused} | ${entry.hint} |`);
});

test("every op of tfjs-converter is in the table", () => {
  const folder = join(dirname(require.resolve("@tensorflow/tfjs-converter")), "operations/op_list");
  const sources = readdirSync(folder).filter((file) => file.endsWith(".js"));
  const ops = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/'tfOpName': '(\w+)'/g)].map(([, op]) => op!),
  );
  expect(new Set(ops).size).toBeGreaterThanOrEqual(232);
  expect(ops.filter((op) => !Object.hasOwn(OP_LOWERINGS, op) && !OWN.includes(op))).toEqual([]);
});
