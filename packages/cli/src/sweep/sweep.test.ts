import { parseConfig } from "@distillate/train";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidatesOf, parseAxes } from "./axes.ts";
import { betterHalf, planRounds } from "./halving.ts";

const base = parseConfig({
  name: "base",
  data: { kind: "mnist" },
  teacher: { model: { name: "cnn" } },
  student: { model: { name: "cnn", filters: [3, 8], dense: 10 } },
});

test("axes are read, each value once", () => {
  expect(parseAxes("width=0.5,1,1,method=kd,dist,temperature=2")).toEqual({
    width: ["0.5", "1"],
    method: ["kd", "dist"],
    temperature: ["2"],
  });
});

test.each([
  ["size=3", /there is no axis "size"/],
  ["2,width=1", /begins with a value/],
  ["width=0", /width is "0", expected a number from 0.05 to 16/],
  ["method=magic", /method is "magic", expected kd, kd-standardized/],
  ["temperature=", /temperature is ""/],
])("%s is refused by what is wrong with it", (text, message) => {
  expect(() => parseAxes(text)).toThrowError(message);
  expect(() => parseAxes(text)).toThrowError(expect.objectContaining({ code: "sweep-invalid" }));
});

test("candidates: every combination, those that come to the same once, each size apart", () => {
  const all = candidatesOf(base, parseAxes("method=kd,hard,temperature=1,4,width=0.5,2"));
  // hard has no temperature: its four candidates are two.
  expect(all.map(({ id }) => id).filter((id) => id.startsWith("hard"))).toHaveLength(2);
  expect(all).toHaveLength(6);
  expect(new Set(all.map(({ id }) => id)).size).toBe(6);
  expect(new Set(all.map(({ size }) => size)).size).toBe(2);
  const [first] = candidatesOf(base, parseAxes("width=0.1,alpha=0.7,temperature=3"));
  expect(first!.config.student.model).toEqual({ name: "cnn", filters: [1, 1], dense: 1, dropout: 0 });
  expect(first!.config.distill).toMatchObject({ kd: { weight: 0.7, temperature: 3 } });
  expect(first!.config.distill.ce.weight).toBeCloseTo(0.3, 12);
  expect(candidatesOf(base, {})[0]!.config.student).toEqual(base.student);
});

describe("successive halving", () => {
  test("rounds share the budget; fewer candidates train longer", () => {
    expect(planRounds([8], 8, 6)).toEqual([
      { candidates: 8, epochs: 2 },
      { candidates: 4, epochs: 4 },
      { candidates: 2, epochs: 8 },
    ]);
    expect(planRounds([1, 1, 1], 8)).toEqual([]);
    expect(() => planRounds([8], 8, 2)).toThrowError(/need 3 for one epoch each/);
  });

  test("never more than the budget where it is enough, never more than a whole training, never none", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        (counts, epochs, budget) => {
          let rounds: ReturnType<typeof planRounds>;
          try {
            rounds = planRounds(counts, epochs, budget);
          } catch {
            return;
          }
          const spent = rounds.reduce((sum, round) => sum + round.candidates * round.epochs, 0);
          expect(spent).toBeLessThanOrEqual(budget * epochs + 1e-6);
          for (const round of rounds) expect(round.epochs).toBeGreaterThanOrEqual(1);
          for (const round of rounds) expect(round.epochs).toBeLessThanOrEqual(epochs);
        },
      ),
    );
    // Without a budget there is always enough for one epoch each.
    fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 50 }), (counts, epochs) => void planRounds(counts, epochs)));
  });

  test("the better half of each size goes on, however good the others are", () => {
    const candidates = ["a", "b", "c"].flatMap((id) => ["s", "l"].map((size) => ({ id: id + size, size })));
    const scores = new Map([
      ["as", 0.1],
      ["bs", 0.3],
      ["cs", 0.2],
      ["al", 0.9],
      ["bl", 0.8],
      ["cl", 0.7],
    ]);
    const once = betterHalf(candidates, scores);
    expect(once.map(({ id }) => id)).toEqual(["al", "bs", "bl", "cs"]);
    expect(betterHalf(once, scores).map(({ id }) => id)).toEqual(["al", "bs"]);
  });
});
