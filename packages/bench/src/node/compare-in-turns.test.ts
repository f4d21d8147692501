import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, test } from "vitest";
import type { Pair } from "../report/compare-reports.ts";
import { parseGate } from "../report/gate.ts";
import type { TargetReport } from "../report/schema.ts";
import { summarize } from "../statistics.ts";
import { type NamedRule, STOP_RULES } from "../stop-rule.ts";
import { compareInTurns } from "./compare-in-turns.ts";

const limits = parseGate("p90:+5%");

/** A target of so many blocks whose samples differ by up to `noise`. */
function target(id: string, milliseconds: number, blocks: number, noise: number): TargetReport {
  const random = xoroshiro128plus(id.length * 1000 + blocks);
  const made = Array.from({ length: blocks }, (_, round) => ({
    round,
    samples: Array.from({ length: 8 }, () => milliseconds * (1 + noise * ((random.next() >>> 0) / 2 ** 32))),
    batch: 1,
    calibration: [1, 1] as [number, number],
    milliseconds: 100,
  }));
  return {
    id,
    model: id,
    runtime: "onnxruntime-node",
    place: "node",
    threads: 1,
    details: {},
    latency: { blocks: made, summary: summarize(made.flatMap(({ samples }) => samples)) },
  } as unknown as TargetReport;
}

/** Counts what it measures; each measurement has as many blocks as the rule has tenths of a second, and a head as slow as told. */
function measuring(slowdowns: readonly number[], noise: number) {
  const rules: NamedRule[] = [];
  const seeds: number[] = [];
  return {
    rules,
    seeds,
    measure: async (rule: NamedRule, seed: number): Promise<readonly Pair[]> => {
      const blocks = rule.milliseconds / 100;
      const slowdown = slowdowns[rules.length]!;
      rules.push(rule);
      seeds.push(seed);
      return [
        { name: "file", base: target("base", 1, blocks, noise), head: target("head+", 1 + slowdown, blocks, noise) },
      ];
    },
  };
}

const rule = STOP_RULES.rapid;

describe("compared in turns", () => {
  test("what looks as good is measured once", async () => {
    const { measure, rules } = measuring([0.01], 0.02);
    expect((await compareInTurns(measure, { rule, seed: 1, limits })).failed).toBe(false);
    expect(rules).toEqual([rule]);
  });

  test("a slowdown is measured again, three times as long, and then fails", async () => {
    const { measure, rules, seeds } = measuring([0.1, 0.1], 0.02);
    const { failed, notes } = await compareInTurns(measure, { rule, seed: 7, limits });
    expect(failed).toBe(true);
    expect(rules.map(({ milliseconds }) => milliseconds)).toEqual([6_000, 18_000]);
    expect(seeds).toEqual([7, 8]);
    expect(notes.join()).toMatch(/the second measurement, 3 times as long; the first found p90 of file, 1\.\d+ \(/);
  });

  test("one that the second measurement does not find was chance", async () => {
    const { measure, rules } = measuring([0.1, 0], 0.02);
    expect((await compareInTurns(measure, { rule, seed: 1, limits })).failed).toBe(false);
    expect(rules).toHaveLength(2);
  });

  test("a head that no longer runs fails at once", async () => {
    let measured = 0;
    const { failed } = await compareInTurns(
      async () => {
        measured++;
        const [base, head] = [target("base", 1, 60, 0), target("head+", 1, 60, 0)];
        const { latency: _, ...dead } = head;
        return [
          { name: "file", base, head: { ...dead, problem: { code: "target-died", message: "it died", hint: "" } } },
        ];
      },
      { rule, seed: 1, limits },
    );
    expect([failed, measured]).toEqual([true, 1]);
  });
});
