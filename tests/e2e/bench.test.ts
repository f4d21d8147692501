/** `distillate bench` and `compare` as a person calls them: results on disk, a sentence to act on, exit statuses. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReport } from "@distillate/bench/node";
import { expect, test } from "vitest";
import { fixtureBundles, writeBundle } from "../fixtures/bundles.ts";
import { distillate } from "../fixtures/command-line.ts";

test("bench: a bundle whose data nobody knows is measured on its probe; compare: the report against itself and others", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-bench-"));
  const bundle = (await fixtureBundles()).find(({ name }) => name === "cnn")!;
  await writeBundle(bundle, join(directory, "bundle"));
  const [json, html, csv] = ["bench.json", "bench.html", "bench.csv"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const measured = await distillate([
    "bench",
    join(directory, "bundle"),
    "--targets",
    "node",
    "--scenarios",
    "profile",
    "--output",
    json,
    "--html",
    html,
    "--csv",
    csv,
  ]);
  expect(measured.err).toBe("");
  expect(measured.status).toBe(0);
  expect(measured.out).toMatch(/On onnxruntime-node ship (fp32|int8):/);
  expect(measured.out).toContain("the bundle's probe, 4 samples");
  expect(measured.out).toContain("name it with --data DIR");
  const report = parseReport(await readFile(json, "utf8"), json);
  expect(report.targets.map(({ model }) => model)).toEqual(["fp32", "int8"]);
  expect(await readFile(html, "utf8")).toContain("Where the time goes");
  expect((await readFile(csv, "utf8")).split("\n")[1]).toMatch(/^"fp32, onnxruntime-node",fp32,/);

  const same = await distillate(["compare", json, json]);
  expect([same.status, same.err]).toEqual([0, ""]);
  const half = report.targets.map((target) => ({
    ...target,
    latency: {
      ...target.latency!,
      invalid: undefined,
      blocks: target.latency!.blocks.map((block) => ({ ...block, samples: block.samples.map((value) => value / 2) })),
    },
  }));
  const faster = join(directory, "faster.json");
  await writeFile(faster, JSON.stringify({ ...report, targets: half }));
  const valid = join(directory, "valid.json");
  const targets = report.targets.map((target) => ({ ...target, latency: { ...target.latency!, invalid: undefined } }));
  await writeFile(valid, JSON.stringify({ ...report, targets }));
  const slower = await distillate(["compare", faster, valid, "--fail-on", "p90:+5%"]);
  expect(slower.out).toContain("FAILED");
  expect(slower.status).toBe(1);
  expect((await distillate(["compare", valid, faster])).status).toBe(0);
});

test("what cannot be measured or compared is an error that says why", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-bench-"));
  const [cut, other] = [join(directory, "cut.onnx"), join(directory, "other.json")];
  await writeFile(cut, "no model");
  await writeFile(other, '{"format":"distillate-bench","version":2}');
  for (const [args, status, message] of [
    [["bench", cut], 1, "error model-refused"],
    [["bench", directory], 2, "neither an .onnx file nor a bundle"],
    [["bench", cut, "--rule", "long"], 2, "--rule long is unknown; there are minute, rapid, quick, normal"],
    [["compare", other, other], 1, "error bench-version"],
    [["compare", join(directory, "none.json"), other], 1, "error bench-unreadable"],
    [["compare", cut, other], 2, "two JSON files, or two .onnx files"],
    [["compare", other, other, "--fail-on", "p90:5"], 1, "error gate-invalid"],
  ] as const) {
    const found = await distillate(args);
    expect([found.status, found.err]).toEqual([status, expect.stringContaining(message)]);
  }
});
