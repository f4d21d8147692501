import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { adviceOf } from "./advice.ts";
import { comparePairs, compareReports, pairedDifference } from "./compare-reports.ts";
import { compareMarkdown, compareText } from "./compare-text.ts";
import { csvReport } from "./csv.ts";
import { footnotes } from "./footnotes.ts";
import { parseGate } from "./gate.ts";
import { htmlReport } from "./html.ts";
import { markdownReport } from "./markdown.ts";
import { deviceMatrix } from "./matrix.ts";
import { textTable } from "./rows.ts";
import { type BenchReport, formatReport, parseReport, type TargetReport } from "./schema.ts";

const LABELS = Array.from({ length: 1000 }, (_, i) => i % 10);

interface About {
  readonly model: string;
  readonly milliseconds: number;
  readonly bytes: number;
  readonly wrong?: number;
  readonly noise?: number;
  readonly invalid?: string;
}

/** A target whose calls take so long, give or take seeded noise, and that is wrong so many times of 1000. */
function target({ model, milliseconds, bytes, wrong = 10, noise = 0.02, invalid }: About): TargetReport {
  const blocks = Array.from({ length: 40 }, (_, round) => ({
    round,
    samples: Array.from({ length: 25 }, (_, i) => milliseconds * (1 + noise * Math.sin(7 * i + 13 * round + bytes))),
    batch: 1,
    milliseconds: 100,
    calibration: [2, 2] as [number, number],
    discarded: false,
    cpuMilliseconds: 90,
  }));
  const sorted = blocks.flatMap(({ samples }) => samples).sort((a, b) => a - b);
  return {
    id: `${model}, onnxruntime-node`,
    model,
    runtime: "onnxruntime-node",
    place: "node",
    threads: 1,
    details: {},
    size: { bytes: 3 * bytes, brotliBytes: bytes, sha256: "0".repeat(64) },
    resolution: 0.0001,
    latency: {
      blocks,
      summary: {
        n: 1000,
        min: sorted[0]!,
        p50: sorted[500]!,
        p90: sorted[900]!,
        p99: sorted[990]!,
        max: sorted[999]!,
        mean: milliseconds,
        mad: 0.01,
        outliers: 0,
      },
      ...(invalid !== undefined && { invalid }),
    },
    coldStart: { starts: [{ runtime: 100, model: 1, session: 5, firstRun: 2 }], memory: { peakRss: 1e8 } },
    quality: { samples: 1000, accuracy: 1 - wrong / 1000, answers: LABELS.map((label, i) => (i < wrong ? -1 : label)) },
    profile: { runs: 50, layers: [{ layer: "conv", ops: ["Conv"], milliseconds: 0.1 }] },
  };
}

function report(targets: readonly TargetReport[], changes: Partial<BenchReport> = {}): BenchReport {
  return {
    format: "distillate-bench",
    version: 1,
    subject: "</title><script>",
    tool: "distillate test",
    created: "2030-01-01T00:00:00.000Z",
    settings: { rule: "rapid", runs: 64, milliseconds: 6000, seed: 1, blockMilliseconds: 100 },
    environment: { cpu: "one", cores: 2 },
    inputs: { source: "test", samples: 1000, labels: LABELS },
    targets,
    notes: [{ code: "a", message: "a note" }],
    ...changes,
  };
}

const fp32 = target({ model: "fp32", milliseconds: 10, bytes: 20_000, wrong: 10 });
const int8 = target({ model: "int8", milliseconds: 6, bytes: 6_000, wrong: 12 });

describe("the file", () => {
  test("is read back as it was written", () => {
    const written = report([fp32, int8]);
    const read = parseReport(formatReport(written), "x.json");
    expect(read.targets.map(({ id }) => id)).toEqual([fp32.id, int8.id]);
    expect(read.targets[0]!.latency!.blocks[3]!.samples[4]).toBeCloseTo(fp32.latency!.blocks[3]!.samples[4]!, 5);
  });

  test.each([
    ["{", "bench-unreadable", /x.json is no JSON/],
    ["[]", "bench-unreadable", /JSON of something else/],
    ['{"format":"distillate-bench","version":2}', "bench-version", /x.json has version 2, expected 1/],
    ['{"format":"distillate-bench","version":1,"subject":5}', "bench-unreadable", /damaged: subject is 5/],
  ])("%s is refused", (text, code, message) => {
    expect(() => parseReport(text, "x.json")).toThrow(message);
    expect(() => parseReport(text, "x.json")).toThrow(expect.objectContaining({ code }));
  });
});

describe("what to ship", () => {
  const advice = (...targets: readonly TargetReport[]): string => adviceOf(report(targets)).join();

  test("the faster and smaller one", () => {
    expect(advice(fp32, int8)).toMatch(
      /^On onnxruntime-node ship int8: 1\.7 times as fast as fp32 .* and the smallest/,
    );
  });

  test("the faster one, though larger, when it is surely faster", () => {
    const slow = target({ model: "int8", milliseconds: 15, bytes: 6_000 });
    expect(advice(fp32, slow)).toMatch(/ship fp32: 1\.5 times as fast as int8 .* 14\.0 KB more/);
  });

  test("the smaller one when both are as fast, or when nobody would notice", () => {
    const same = target({ model: "int8", milliseconds: 10.05, bytes: 6_000 });
    expect(advice(fp32, same)).toMatch(/ship int8: as fast as fp32 within the noise/);
    const tiny = [
      target({ model: "fp32", milliseconds: 0.02, bytes: 20_000 }),
      target({ model: "int8", milliseconds: 0.04, bytes: 6_000 }),
    ];
    expect(advice(...tiny)).toMatch(/ship int8: fp32 is 2\.0 times as fast .* but neither takes a millisecond/);
  });

  test("not one that loses accuracy, and it says so", () => {
    const bad = target({ model: "int8", milliseconds: 1, bytes: 6_000, wrong: 50 });
    expect(advice(fp32, bad)).toMatch(/ship fp32: .*; int8 is left out, it loses 4\.0 points of accuracy/);
  });

  test("without labels the reference counts as agreeing with itself", () => {
    const reference = { ...fp32, quality: { samples: 800, answers: [] } };
    const other = { ...int8, quality: { samples: 800, answers: [], agreement: 0.9, reference: fp32.id } };
    expect(advice(reference, other)).toMatch(/ship fp32: .*; int8 is left out, it loses 10\.0 points of agreement/);
    const probe = { ...other, quality: { ...other.quality, samples: 8 } };
    expect(advice({ ...fp32, quality: { samples: 8, answers: [] } }, probe)).toMatch(
      /ship int8: .*too few samples to judge/,
    );
  });

  test("a measurement that is INVALID is a hint only", () => {
    expect(advice(fp32, target({ model: "int8", milliseconds: 6, bytes: 6_000, invalid: "too short" }))).toMatch(
      /take it as a hint/,
    );
  });
});

test("table, Markdown and footnotes name what failed and what is invalid", () => {
  const failed: TargetReport = {
    ...int8,
    id: "gone",
    latency: undefined,
    problem: { code: "target-died", message: "it died.", hint: "Mend it." },
  };
  const shown = report([target({ model: "fp32", milliseconds: 10, bytes: 5, invalid: "3 of 64 runs" }), failed]);
  expect(textTable(shown.targets)).toMatch(/INVALID[\s\S]*FAILED target-died/);
  expect(footnotes(shown)).toContain("FAILED gone: it died. Mend it.");
  expect(markdownReport(shown)).toContain("INVALID fp32, onnxruntime-node: 3 of 64 runs.");
});

test("as CSV: a line a target, what holds a comma in quotes, what was not measured empty", () => {
  const [fast] = report([target({ model: "fp32", milliseconds: 0.5, bytes: 1000 })]).targets;
  const [header, line, end] = csvReport({ targets: [{ ...fast!, model: 'a "b"' }] }).split("\n");
  const names = header!.split(",");
  const cells = line!.match(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)!.map((cell) => cell.replace(/,$/, ""));
  const at = (name: string): string => cells[names.indexOf(name)]!;
  expect([at("id"), at("model"), at("state")]).toEqual(['"fp32, onnxruntime-node"', '"a ""b"""', "ok"]);
  expect([at("brotli_bytes"), at("cold_start_ms"), at("warm_start_ms")]).toEqual(["1000", "108", ""]);
  expect(Number(at("p50_ms"))).toBeCloseTo(0.5, 2);
  expect(end).toBe("");
});

test("a target that holds more and more, and a page that was hidden, are named", () => {
  const plain = target({ model: "fp32", milliseconds: 0.5, bytes: 1000 });
  const [first, ...others] = plain.latency!.blocks;
  const blocks = [{ ...first!, noticed: ["hidden"] }, ...others];
  const grown = { ...plain, growth: { tensors: 3, wasmHeap: 65_536, rss: 1 }, latency: { ...plain.latency!, blocks } };
  const lines = footnotes(report([grown])).join(" ");
  expect(lines).toContain("GROWS fp32, onnxruntime-node: after its last call 3 tensors more and 65.5 KB");
  expect(lines).toContain("In 1 of 40 blocks of fp32, onnxruntime-node the page was hidden");
  expect(footnotes(report([{ ...plain, growth: { tensors: 0, rss: 1e6 } }])).join(" ")).not.toContain("GROWS");
});

test("a clock that is too coarse for the samples is named", () => {
  const coarse = { ...target({ model: "fp32", milliseconds: 0.5, bytes: 1000 }), resolution: 0.1 };
  expect(footnotes(report([coarse])).join(" ")).toContain("steps of 0.10 ms) is too coarse");
  expect(footnotes(report([{ ...coarse, resolution: 0.001 }])).join(" ")).not.toContain("too coarse for its samples");
});

test("the page has its pictures, a bar a layer, nothing from outside, no script, and names cannot break out", () => {
  const html = htmlReport(report([fp32, int8]));
  const { document } = parseHTML(html);
  expect(document.querySelectorAll("figure svg").length).toBeGreaterThanOrEqual(4);
  expect(document.querySelectorAll("td svg rect")).toHaveLength(2);
  expect(document.querySelectorAll("script, link, img, iframe")).toHaveLength(0);
  expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:|url\(|NaN/);
  expect(document.querySelector("h1")!.textContent).toBe("</title><script>");
});

describe("the gate", () => {
  test("reads limits, and says what is wrong with others", () => {
    expect(parseGate("p90:+5%,accuracy:-0.3")).toEqual([
      { metric: "p90", worse: 0.05 },
      { metric: "accuracy", worse: 0.3 },
    ]);
    for (const text of ["p90:5", "p90:-5%", "accuracy:+1", "speed:+5%", "p90:+x%"]) {
      expect(() => parseGate(text)).toThrow(expect.objectContaining({ code: "gate-invalid" }));
    }
  });

  const limits = parseGate("p90:+5%,accuracy:-0.3");
  const against = (head: TargetReport) => compareReports(report([fp32]), report([head]), limits);

  test("the same is no failure; 10 % slower is; 5 % slower with an interval across the limit is not", () => {
    expect(against(fp32).failed).toBe(false);
    expect(against({ ...target({ model: "fp32", milliseconds: 11, bytes: 20_000, wrong: 10 }) }).failed).toBe(true);
    const noisy = (milliseconds: number) =>
      report([target({ model: "fp32", milliseconds, bytes: 20_000, noise: 0.4 })]);
    expect(compareReports(noisy(10), noisy(10.5), limits).failed).toBe(false);
  });

  test("accuracy fails when surely lost, not when the samples can't tell", () => {
    expect(against(target({ model: "fp32", milliseconds: 10, bytes: 20_000, wrong: 40 })).failed).toBe(true);
    const unsure = against(target({ model: "fp32", milliseconds: 10, bytes: 20_000, wrong: 14 }));
    expect(unsure.failed).toBe(false);
    expect(unsure.comparisons.find(({ metric }) => metric === "accuracy")!.change.estimate).toBeCloseTo(-0.4, 9);
  });

  test("an INVALID measurement decides nothing, and says so", () => {
    const found = against(target({ model: "fp32", milliseconds: 20, bytes: 20_000, wrong: 10, invalid: "too short" }));
    expect(found.failed).toBe(false);
    expect(compareText(found)).toMatch(/UNDECIDED fp32, onnxruntime-node, p90: INVALID/);
  });

  test("a target that does not run any more is a failure; one that is missing is named", () => {
    const problem = { code: "target-died", message: "it died", hint: "" };
    const broken = against({ ...fp32, problem });
    expect(broken.failed).toBe(true);
    expect(broken.notes).toContain("fp32, onnxruntime-node does not run any more: it died");
    const more = compareReports(
      report([fp32]),
      report([fp32, int8], { environment: { cpu: "two", cores: 2 } }),
      limits,
    );
    expect(more.notes).toEqual(["only in the head: int8, onnxruntime-node", "cpu differs: one against two"]);
    expect(() => compareReports(report([fp32]), report([int8]), limits)).toThrow(/no target is in both/);
  });

  test("a machine that was itself slower is named", () => {
    const blocks = fp32.latency!.blocks.map((block) => ({ ...block, calibration: [2.4, 2.4] as [number, number] }));
    const found = against({ ...fp32, latency: { ...fp32.latency!, blocks } });
    expect(found.notes.join()).toMatch(/the machine itself was 20 % slower for the head/);
  });

  test("pairs of one measurement are compared round by round", () => {
    // Each round has its own pace; both sides share it, and the ratio doesn't move.
    const shaken = (factor: number): TargetReport => ({
      ...fp32,
      latency: {
        ...fp32.latency!,
        blocks: fp32.latency!.blocks.map((block) => ({
          ...block,
          samples: block.samples.map((value) => value * factor * (1 + 0.5 * Math.sin(block.round))),
        })),
      },
    });
    const pairs = [{ name: "a", base: shaken(1), head: shaken(1.02) }];
    const { change } = comparePairs(pairs, limits, { labels: LABELS, seed: 1, paired: true }).comparisons[0]!;
    expect(change.estimate).toBeCloseTo(1.02, 6);
    expect(change.high - change.low).toBeLessThan(0.001);
  });

  test("Markdown says in its first line how it ended", () => {
    expect(compareMarkdown(against(fp32))).toMatch(/^No limit is broken\./);
  });
});

test("many devices make one table", () => {
  const slower = report([target({ model: "fp32", milliseconds: 30, bytes: 5, invalid: "too short" })]);
  const table = deviceMatrix([
    { device: "desk", report: report([fp32, int8]) },
    { device: "phone", report: slower },
  ]);
  expect(table).toMatch(/\| fp32, onnxruntime-node \| 10\.\d \/ 10\.\d \| [23]\d\.\d \/ 30\.\d INVALID \|/);
  expect(table).toMatch(/\| int8, onnxruntime-node \| 6\.\d+ \/ 6\.\d+ \| {2}\|/);
});

test("the interval of paired accuracies is Newcombe's", () => {
  // 12 samples only the base has right, 4 only the head, of 100: -8 points, standard error sqrt(16 - 64/100) = 3.919.
  const labels = new Array<number>(100).fill(1);
  const base = labels.map((_, i) => (i < 4 ? 0 : 1));
  const head = labels.map((_, i) => (i >= 4 && i < 16 ? 0 : 1));
  const { estimate, low, high } = pairedDifference(base, head, labels);
  expect(estimate).toBeCloseTo(-8, 9);
  expect(low).toBeCloseTo(-8 - 1.959964 * 3.919, 2);
  expect(high).toBeCloseTo(-8 + 1.959964 * 3.919, 2);
});
