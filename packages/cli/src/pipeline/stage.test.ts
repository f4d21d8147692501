import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runStage, type Stage } from "./stage.ts";

const events = { clock: (): number => 0, onEvent: (): void => undefined };

async function counting(
  inputs: unknown,
  directory?: string,
): Promise<{ stage: Stage<{ runs: number }>; runs: () => number }> {
  let runs = 0;
  const where = directory ?? join(await mkdtemp(join(tmpdir(), "distillate-stage-")), "export");
  const run = async (): Promise<{ result: { runs: number }; files: string[] }> => {
    runs++;
    await writeFile(join(where, "out.txt"), JSON.stringify(inputs));
    return { result: { runs }, files: ["out.txt"] };
  };
  return { stage: { name: "export", directory: where, inputs, run }, runs: () => runs };
}

test("the same inputs run once, whatever the order of their members", async () => {
  const first = await counting({ a: 1, b: [2, { c: 3, d: 4 }] });
  expect((await runStage(events, first.stage)).cached).toBe(false);
  const second = await counting({ b: [2, { d: 4, c: 3 }], a: 1 }, first.stage.directory);
  const outcome = await runStage(events, second.stage);
  expect(outcome.cached).toBe(true);
  expect(outcome.record.result).toEqual({ runs: 1 });
  expect(second.runs()).toBe(0);
});

test("another input runs again from an empty directory", async () => {
  const first = await counting(1);
  await runStage(events, first.stage);
  await writeFile(join(first.stage.directory, "leftover"), "");
  const second = await counting(2, first.stage.directory);
  expect((await runStage(events, second.stage)).cached).toBe(false);
  await expect(readFile(join(first.stage.directory, "leftover"))).rejects.toThrow("ENOENT");
});

test("a stage that was cut off finds what it had written", async () => {
  const { stage } = await counting(1);
  const cutOff: Stage<unknown> = {
    ...stage,
    run: async () => {
      await writeFile(join(stage.directory, "progress"), "half");
      throw new Error("cut off");
    },
  };
  await expect(runStage(events, cutOff)).rejects.toThrow("cut off");
  await runStage(events, {
    ...stage,
    run: async () => {
      expect(await readFile(join(stage.directory, "progress"), "utf8")).toBe("half");
      return { result: null, files: ["progress"] };
    },
  });
});

test.each([
  ["changed", (path: string) => writeFile(path, "flipped")],
  ["gone", (path: string) => rm(path)],
])("a finished output that is %s is named, not silently redone", async (_what, damage) => {
  const { stage, runs } = await counting(1);
  await runStage(events, stage);
  await damage(join(stage.directory, "out.txt"));
  await expect(runStage(events, stage)).rejects.toMatchObject({ code: "stage-output-corrupted" });
  expect(runs()).toBe(1);
});
