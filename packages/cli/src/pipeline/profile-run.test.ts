import { parseConfig } from "@distillate/train";
import { expect, test } from "vitest";
import { describeProfile } from "../report/profile-lines.ts";
import { profileRun } from "./profile-run.ts";

const config = parseConfig({
  name: "t",
  data: { kind: "mnist", limit: 32 },
  teacher: { model: { name: "cnn", filters: [4] } },
  student: { model: { name: "cnn", filters: [2] }, training: { batchSize: 16 } },
});

test("a step of a run's student is taken apart, alone and taught", async () => {
  const alone = await profileRun(config, "wasm", true);
  expect(alone).toMatchObject({ engine: { name: "wasm" }, model: "cnn", batchSize: 16, fallbacks: [] });
  expect(alone.captured).toBeGreaterThan(0);
  const text = describeProfile(alone);
  expect(text).toMatch(/^cnn on wasm .*, batches of 16: \d+\.\d\d ms a step/);
  for (const word of ["MaxPoolGrad", "outside of operations", "conv1", "(losses and update)"]) {
    expect(text).toContain(word);
  }
  const shares = [...text.split("layer ")[0]!.matchAll(/([\d.]+) %/g)].map(([, share]) => Number(share));
  expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThan(1);

  const taught = await profileRun(config, "wasm", false);
  const forwards = (ops: typeof alone.ops): number => ops.find(({ name }) => name === "MaxPool")!.calls;
  expect([forwards(alone.ops), forwards(taught.ops)]).toEqual([1, 2]);
});
