import { expect, test } from "vitest";
import { type Block, runBlock } from "./block.ts";
import { createCalibration, steadyBlocks } from "./calibration.ts";
import { type Clock, callsPerSample, measureResolution } from "./clock.ts";
import { countedBlocks, measureInterleaved } from "./measure.ts";
import { runPaced } from "./paced.ts";
import { lacking, STOP_RULES, sharedAmong } from "./stop-rule.ts";

/** A clock that only moves when told, or by a step each time it is read. */
function fakeClock(step = 0): Clock & { advance(milliseconds: number): number } {
  let time = 0;
  const advance = (milliseconds: number): number => {
    time += milliseconds;
    return time;
  };
  return {
    advance,
    now: () => advance(step),
    sleep: async (milliseconds) => void advance(Math.max(milliseconds, 0.5)),
  };
}

const block = (milliseconds: number, calibration: readonly [number, number] = [2, 2]): Block => ({
  samples: [milliseconds / 2, milliseconds / 2],
  batch: 1,
  milliseconds,
  calibration,
});

test("the resolution is the clock's smallest step; one that stands still has none", () => {
  expect(measureResolution(fakeClock(0.25))).toBe(0.25);
  let readings = 0;
  expect(measureResolution({ now: () => Math.floor(readings++ / 7) * 0.1 })).toBeCloseTo(0.1, 9);
  expect(measureResolution({ now: () => 3 })).toBe(0);
});

test("calls are batched until a sample has a hundred steps of the clock", () => {
  expect(callsPerSample(0.5, 0.005)).toBe(1);
  expect(callsPerSample(0.5, 0.1)).toBe(20);
  expect(callsPerSample(0, 0.1)).toBe(10_000);
  expect(callsPerSample(0.05, 0)).toBe(1);
});

test("a block runs for its time, and each sample is the mean of its batch", async () => {
  const clock = fakeClock();
  const call = async (): Promise<number> => clock.advance(3);
  const found = await runBlock(call, 20, { clock, calibrate: () => 2, batch: 2, cpu: () => clock.now() / 2 });
  expect(found).toEqual({
    samples: [3, 3, 3, 3],
    batch: 2,
    milliseconds: 24,
    calibration: [2, 2],
    cpuMilliseconds: 12,
  });
});

test("calibration becomes as long as the clock's steps demand, and ends on a clock that stands still", () => {
  const clock = fakeClock();
  const work = (units: number): number => clock.advance(units);
  expect(createCalibration(clock, 0, work)()).toBe(1);
  expect(createCalibration(clock, 0.1, work)()).toBe(16);
  expect(createCalibration(fakeClock(), 0.1, () => {})()).toBe(0);
});

test("blocks from a moment that was over 5 % off are not steady", () => {
  expect(
    steadyBlocks([
      [2, 2],
      [2, 2.2],
      [2.09, 2],
      [1.8, 2],
    ]),
  ).toEqual([true, false, true, false]);
});

test("stop rules want runs and time, both", () => {
  expect(lacking(STOP_RULES.rapid, 64, 6000)).toBeUndefined();
  expect(lacking(STOP_RULES.rapid, 63, 9000)).toBe("63 of 64 runs, 9.0 of 6.0 s");
  expect(lacking(STOP_RULES.rapid, 900, 5900)).toBe("900 of 64 runs, 5.9 of 6.0 s");
});

test("a rule with a time for all of them divides it: never more than each asks for, never too little for an interval", () => {
  const times = [1, 5, 8, 40].map((targets) => sharedAmong(STOP_RULES.minute, targets).milliseconds);
  expect(times).toEqual([6000, 4000, 2500, 2000]);
  expect(sharedAmong(STOP_RULES.quick, 40)).toBe(STOP_RULES.quick);
});

const rule = { runs: 10, milliseconds: 1000 };

test("targets are measured in rounds, the order drawn by the seed, until each fulfils the rule", async () => {
  const orders: string[][] = [];
  const measured = async (seed: number): Promise<string> => {
    const order: string[] = [];
    const target = (id: string, milliseconds: number) => ({
      id,
      block: async () => {
        order.push(id);
        return block(milliseconds);
      },
    });
    const found = await measureInterleaved([target("a", 100), target("b", 100), target("c", 500)], { rule, seed });
    expect(found.map(({ invalid }) => invalid)).toEqual([undefined, undefined, undefined]);
    expect(found.map(({ blocks }) => blocks.length)).toEqual([10, 10, 5]);
    expect(found[0]!.blocks.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    orders.push(order);
    return order.join("");
  };
  expect(await measured(1)).toBe(await measured(1));
  expect(await measured(2)).not.toBe(await measured(1));
  // Every round has every target that is not done.
  for (let round = 0; round < 5; round++)
    expect([...orders[0]!.slice(3 * round, 3 * round + 3)].sort()).toEqual(["a", "b", "c"]);
});

test("blocks of an unsteady machine are set aside, counted, and taken again", async () => {
  let taken = 0;
  const [found] = await measureInterleaved(
    [{ id: "a", block: async () => block(100, taken++ % 4 === 0 ? [2, 2.5] : [2, 2]) }],
    { rule, seed: 1 },
  );
  expect(found!.invalid).toBeUndefined();
  expect(found!.blocks.filter(({ discarded }) => discarded)).toHaveLength(4);
  expect(countedBlocks(found!.blocks)).toHaveLength(10);
});

test("blocks of a hidden page are set aside and named", async () => {
  let taken = 0;
  const [found] = await measureInterleaved(
    [{ id: "a", block: async () => ({ ...block(100), ...(taken++ % 3 === 0 && { noticed: ["hidden"] }) }) }],
    { rule, seed: 1, patience: 1.2 },
  );
  expect(found!.blocks.filter(({ discarded }) => discarded)).toHaveLength(
    found!.blocks.filter(({ noticed }) => noticed).length,
  );
  expect(found!.invalid).toContain("the page was hidden");
});

test("a machine that never settles ends as INVALID, with all that was measured", async () => {
  let taken = 0;
  const [found] = await measureInterleaved([{ id: "a", block: async () => block(100, [2 + taken++, 90]) }], {
    rule,
    seed: 1,
    patience: 1.5,
  });
  expect(found!.invalid).toMatch(/^\d+ of 10 runs, .* blocks set aside, the machine was unsteady$/);
  expect(found!.blocks.length).toBe(16);
  expect(countedBlocks(found!.blocks).length).toBeGreaterThan(0);
});

test("a target that fails ends alone and keeps its blocks", async () => {
  let left = 3;
  const broken = {
    id: "broken",
    block: async () => {
      if (left-- === 0) throw new Error("gone");
      return block(100);
    },
  };
  const seen: string[] = [];
  const [one, other] = await measureInterleaved([broken, { id: "fine", block: async () => block(100) }], {
    rule,
    seed: 1,
    onBlock: ({ id }, { blocks }) => void seen.push(`${id}${blocks.length}`),
  });
  expect((one!.error as Error).message).toBe("gone");
  expect(one!.blocks).toHaveLength(3);
  expect(one!.invalid).toBe("6 of 10 runs, 0.3 of 1.0 s");
  expect(other!.blocks).toHaveLength(10);
  expect(seen).toContain("fine10");
});

test("a measurement stops when its signal does", async () => {
  const abort = new AbortController();
  const running = measureInterleaved(
    [
      {
        id: "a",
        block: async () => {
          abort.abort(new Error("enough"));
          return block(1);
        },
      },
    ],
    { rule, seed: 1, signal: abort.signal },
  );
  await expect(running).rejects.toThrow("enough");
});

test("paced: a frame's time runs from when it was due; late ones miss, those behind a newer one are skipped", async () => {
  const clock = fakeClock();
  const times = [10, 250, 10, 10, 10];
  const call = async (): Promise<number> => clock.advance(times.shift()!);
  const found = await runPaced(call, { framesPerSecond: 10, frames: 6, clock });
  // Frame 1 begins at 100 and ends at 350: frame 2 (due 200) is skipped, frame 3 (due 300) begins late.
  expect(found.skipped).toBe(1);
  expect(found.missed).toBe(2);
  expect(found.samples.map(Math.round)).toEqual([10, 250, 60, 10, 10]);
});
