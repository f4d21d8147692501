import { expect, test } from "vitest";
import { type Job, runJobs } from "./schedule-jobs.ts";

function recorder(): {
  job: (id: string, after?: string[], fail?: boolean) => Job<string>;
  log: string[];
  peak: () => number;
} {
  const log: string[] = [];
  let running = 0;
  let peak = 0;
  const job = (id: string, after: string[] = [], fail = false): Job<string> => ({
    id,
    after,
    start: async () => {
      log.push(`+${id}`);
      peak = Math.max(peak, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      log.push(`-${id}`);
      if (fail) throw new Error(id);
      return id.toUpperCase();
    },
  });
  return { job, log, peak: () => peak };
}

test("keeps to the slots, to the order and to the dependencies", async () => {
  const { job, log, peak } = recorder();
  const results = await runJobs(
    [job("teacher"), job("s1", ["teacher"]), job("b1"), job("b2"), job("s2", ["teacher"])],
    2,
  );
  expect(peak()).toBe(2);
  expect(log.slice(0, 2)).toEqual(["+teacher", "+b1"]);
  expect(log.indexOf("-teacher")).toBeLessThan(log.indexOf("+s1"));
  expect(log.indexOf("+s1")).toBeLessThan(log.indexOf("+b2"));
  expect(results.get("s2")).toBe("S2");
});

test("after a failure nothing new starts and what runs is finished", async () => {
  const { job, log } = recorder();
  await expect(runJobs([job("a", [], true), job("b"), job("c")], 2)).rejects.toThrow("a");
  expect(log).toContain("-b");
  expect(log).not.toContain("+c");
});

test("a dependency that is not there is a defect, not a hang", async () => {
  const { job } = recorder();
  await expect(runJobs([job("a", ["ghost"])], 2)).rejects.toThrow("missing");
});
