/** The benchmark on real runtimes in Node: all targets compute the same, and one that breaks leaves the others and the results. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchReport, formatReport, htmlReport, parseReport, runBench } from "@distillate/bench/node";
import { beforeAll, expect, test } from "vitest";
import { momentOf, probeInputs, targetOf } from "../fixtures/bench-options.ts";
import { type FixtureBundle, fixtureBundles, writeBundle } from "../fixtures/bundles.ts";

let bundle: FixtureBundle;
let directories: ReadonlyMap<string, string>;

beforeAll(async () => {
  const scratch = await mkdtemp(join(tmpdir(), "distillate-bench-"));
  const bundles = await fixtureBundles();
  directories = new Map(bundles.map(({ name }) => [name, join(scratch, name)]));
  for (const each of bundles) await writeBundle(each, directories.get(each.name)!);
  bundle = bundles.find(({ name }) => name === "cnn")!;
});

test("both files in both runtimes: the same answers, times of every kind, a report that can be read back", async () => {
  const cnn = directories.get("cnn")!;
  const targets = [
    targetOf(cnn, "fp32", "onnxruntime-node", "node"),
    targetOf(cnn, "int8", "onnxruntime-node", "node"),
    targetOf(cnn, "fp32", "onnxruntime-web-wasm", "node"),
  ];
  const scenarios = ["offline", "paced", "sustained", "cold-start", "profile"] as const;
  const labels = [1, 2, 3, 4];
  const report = await runBench(momentOf(targets, probeInputs(bundle), { scenarios, labels }));
  expect(report.targets.map(({ problem }) => problem)).toEqual([undefined, undefined, undefined]);
  for (const target of report.targets) {
    expect(target.latency!.summary!.p50).toBeGreaterThan(0);
    expect(target.latency!.energy!.assumption).toMatch(/RAPL|assumed/);
    expect(target.offline!.samplesPerSecond).toBeGreaterThan(0);
    expect(target.paced!.samples.length + target.paced!.skipped).toBe(200);
    expect(target.sustained!.timeline.length).toBeGreaterThan(0);
    expect(target.coldStart!.starts[0]).toMatchObject({ session: expect.any(Number), firstRun: expect.any(Number) });
    expect(target.coldStart!.memory!.peakRss).toBeGreaterThan(1e7);
    expect(target.size!.brotliBytes).toBeLessThan(target.size!.bytes);
    expect(target.quality!.accuracy).toBeGreaterThanOrEqual(0);
  }
  const [native, , web] = report.targets;
  expect(web!.quality!.largestDifference).toBeLessThan(1e-3);
  expect(web!.coldStart!.memory!.wasmHeap).toBeGreaterThan(1e6);
  expect(native!.profile!.layers.map(({ layer }) => layer)).toContain("logits");
  expect(parseReport(formatReport(report), "x").targets).toHaveLength(3);
  expect(htmlReport(report)).toContain("Under lasting load");
});

test("a target that dies, one of another shape and one that is missing are entries; the rest and what was before is kept", async () => {
  const cnn = directories.get("cnn")!;
  const fine = targetOf(cnn, "fp32", "onnxruntime-node", "node");
  const dying = { ...fine, id: "dying", runtime: new URL("../fixtures/dying-target.mjs", import.meta.url).href };
  const other = { ...targetOf(directories.get("resnet-8")!, "fp32", "onnxruntime-node", "node"), id: "other" };
  const hungry = { ...fine, id: "hungry", runtime: new URL("../fixtures/hungry-target.mjs", import.meta.url).href };
  const missing = { ...fine, id: "missing", source: join(cnn, "none.onnx") };
  const saved: BenchReport[] = [];
  const rule = { name: "moment", runs: 4, milliseconds: 2_000, patience: 1, coldStarts: 0 };
  const report = await runBench(
    momentOf([fine, dying, hungry, other, missing], probeInputs(bundle), {
      rule,
      scenarios: [],
      // Enough for those that only die, reached soon by the one that is hungry.
      execArgv: ["--import", "tsx", "--conditions=@distillate/source", "--max-old-space-size=256"],
      onReport: async (sofar) => void saved.push(sofar),
    }),
  );
  const problems = Object.fromEntries(report.targets.map(({ id, problem }) => [id, problem?.code]));
  expect(problems).toEqual({
    [fine.id]: undefined,
    dying: "target-died",
    hungry: "target-died",
    other: "shape-mismatch",
    missing: "target-failed",
  });
  expect(report.targets[1]!.problem!.message).toContain("SIGKILL");
  expect(report.targets[2]!.problem!.message).toContain("JavaScript heap out of memory");
  // It had blocks before it died, and the others went on after it.
  expect(report.targets[1]!.latency!.blocks.length).toBeGreaterThan(0);
  expect(report.targets[0]!.latency!.blocks.length).toBeGreaterThan(report.targets[1]!.latency!.blocks.length);
  expect(saved.length).toBeGreaterThan(1);
});
