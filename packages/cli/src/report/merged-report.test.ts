import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { mergeReports } from "./merged-report.ts";
import { mergedMarkdown, mergedPage, mergedText } from "./merged-text.ts";
import { costsOf, frontOf } from "./plots.ts";
import { readReport } from "./read-report.ts";
import { packRight } from "./right-bits.ts";
import type { ModelRow, RunReport, SeedResult } from "./run-report.ts";
import type { SweepReport } from "./sweep-report.ts";
import { sweepPage } from "./sweep-text.ts";

const COUNT = 1000;
/** A seed that gets every `n`th sample wrong. */
const seed = (number: number, n: number): SeedResult => {
  const right = Array.from({ length: COUNT }, (_, i) => (i + number) % n !== 0);
  const accuracy = right.filter(Boolean).length / COUNT;
  return { seed: number, accuracy, right: packRight(right), last: { epoch: 3, accuracy: accuracy - 0.01 } };
};
const row = (id: ModelRow["id"], over: Partial<ModelRow>): ModelRow =>
  ({ id, accuracy: 0.9, bytes: 100, ...over }) as ModelRow;
const report = (seeds: readonly SeedResult[], over: Partial<RunReport> = {}): RunReport =>
  ({
    format: "distillate-report",
    version: 1,
    data: { hash: "h", test: COUNT },
    gain: { mean: 0.01, low: -0.01, high: 0.02 },
    models: [
      row("teacher", {}),
      row("baseline", { seeds: [seed(1, 4)] }),
      row("student", { seeds, parameters: 1234 }),
      row("fp32", { macs: 5000 }),
      row("int8", { macs: 5000, bytes: 40, accuracy: 0.89 }),
    ],
    ...over,
  }) as RunReport;

test("runs are compared on the seeds they share, on the same samples", () => {
  const { rows, notes } = mergeReports([
    { name: "one", report: report([seed(1, 5), seed(2, 5)]) },
    { name: "two", report: report([seed(2, 10), seed(3, 2)]) },
  ]);
  expect(notes).toEqual([]);
  expect(rows[0]).toMatchObject({ student: { mean: 0.8, seeds: [1, 2] }, parameters: 1234, macs: 5000 });
  expect(rows[0]!.lastEpoch).toBeCloseTo(0.79, 12);
  expect(rows[0]!.overFirst).toBeUndefined();
  // Of seed 2 alone: every tenth wrong, where the first has every fifth.
  expect(rows[1]!.overFirst).toMatchObject({ seeds: [2] });
  expect(rows[1]!.overFirst!.mean).toBeCloseTo(0.1, 12);
  expect(rows[1]!.overFirst!.low).toBeLessThan(0.1);
  expect(rows[1]!.overFirst!.high).toBeGreaterThan(0.1);
});

test("what cannot be compared is said, with the reason", () => {
  const older = report([{ seed: 1, accuracy: 0.8 }]);
  const { rows, notes } = mergeReports([
    { name: "one", report: report([seed(1, 5)]) },
    { name: "other data", report: report([seed(1, 5)], { data: { hash: "x", test: COUNT } as RunReport["data"] }) },
    { name: "other seeds", report: report([seed(7, 5)]) },
    { name: "older", report: older },
  ]);
  expect(rows.filter(({ overFirst }) => overFirst)).toEqual([]);
  expect(notes.map(({ message }) => message)).toEqual([
    "other data is not compared with one: they have other data",
    "other seeds is not compared with one: they have no seed in common",
    expect.stringMatching(/^older is not compared with one: a report does not say/),
  ]);
});

test("text, Markdown and page have every run, and names cannot break out", () => {
  const merged = mergeReports([
    { name: "<b>|one", report: report([seed(1, 5)]) },
    { name: "two", report: report([seed(1, 10)]) },
  ]);
  expect(mergedText(merged)).toMatch(/<b>\|one[\s\S]*\ntwo .*\+10\.00 \(\+8/);
  expect(mergedMarkdown(merged, "Runs")).toContain("| <b>\\|one |");
  const candidates = [{ id: "<i>", values: {}, scores: [0.5, null] }];
  const rounds = [
    { epochs: 1, candidates: 2 },
    { epochs: 2, candidates: 1 },
  ];
  const sweep = { format: "distillate-sweep", version: 1, name: "</title>", axes: {}, rounds, candidates } as const;
  const from = { tool: "0", node: "v0", engine: { name: "wasm", version: "0", refused: [] }, config: { seeds: [1] } };
  for (const html of [
    mergedPage(merged, "Runs"),
    sweepPage({ ...sweep, ...from, finished: merged } as unknown as SweepReport),
  ]) {
    const { document } = parseHTML(html);
    expect(document.querySelectorAll("figure svg")).toHaveLength(2);
    expect(document.querySelectorAll("script, link, img, iframe, b, i")).toHaveLength(0);
    expect(document.querySelector("table")!.textContent).toContain("<b>|one");
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:|url\(|NaN/);
  }
});

test("the front has what nothing beats at its cost or below", () => {
  const point = (name: string, bytes: number, accuracy: number) =>
    ({ name, id: "int8", bytes, macs: bytes, milliseconds: Number.NaN, accuracy }) as const;
  const points = [
    point("big", 9, 0.9),
    point("beaten", 5, 0.7),
    point("small", 4, 0.8),
    point("same", 4, 0.7),
    point("worse", 10, 0.9),
  ];
  expect(frontOf(points, "bytes").map(({ name }) => name)).toEqual(["small", "big"]);
  expect(costsOf(points)).toEqual(["bytes", "macs"]);
  expect(costsOf([...points, { ...point("timed", 1, 0.5), milliseconds: 0.1 }])).toContain("milliseconds");
});

test("a report is read from its run or its file; what is none is named", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-reports-"));
  await mkdir(join(directory, "mine"));
  const path = join(directory, "mine/report.json");
  await writeFile(path, JSON.stringify(report([seed(1, 5)])));
  expect((await readReport(join(directory, "mine"))).name).toBe("mine");
  expect((await readReport(path)).name).toBe("mine");
  for (const [text, message] of [
    ["no JSON", /is no JSON/],
    ["null", /expected distillate-report/],
    ['{"format":"distillate-report","version":2}', /version 2/],
    ['{"format":"distillate-report","version":1}', /has no row teacher, baseline/],
    [JSON.stringify(report([])), /names no seeds of its student/],
  ] as const) {
    await writeFile(path, text);
    await expect(readReport(path)).rejects.toMatchObject({
      code: "report-unreadable",
      message: expect.stringMatching(message),
    });
  }
  await expect(readReport(join(directory, "none"))).rejects.toMatchObject({ code: "report-unreadable" });
});
