import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { viewStoreIn } from "./view-store.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "views-"));
});
afterEach(() => rm(directory, { recursive: true }));

const augment = { shift: 2, flip: true, erase: 0, colour: 0, mixup: 0, cutmix: 0 };
const views = { count: 2, seed: 0, float16: false };
const logits = { classes: 2, values: Float32Array.of(1.5, -0.1, 30.25, 7) };
const of = ["teacher", "data", 2] as const;

test("a view is read by those that see the same one of the same teacher and images, and by nobody else", async () => {
  const store = viewStoreIn(directory, { ...augment, views }, { classes: 2, of });
  const view = { seed: 0, epoch: 1 };
  expect(await store.read(view)).toBeUndefined();
  await store.write(view, logits);
  const longer = viewStoreIn(directory, { ...augment, views: { ...views, count: 8 } }, { classes: 2, of });
  expect(await longer.read(view)).toEqual(logits);

  const others = [
    [{ ...augment, views }, { classes: 2, of: ["other", "data", 2] }, view],
    [{ ...augment, shift: 1, views }, { classes: 2, of }, view],
    [
      { ...augment, views },
      { classes: 2, of },
      { seed: 0, epoch: 2 },
    ],
    [
      { ...augment, views },
      { classes: 2, of },
      { seed: 1, epoch: 1 },
    ],
  ] as const;
  for (const [changes, facts, asked] of others) {
    expect(await viewStoreIn(directory, changes, facts).read(asked)).toBeUndefined();
  }
});

test("float16 takes half the bytes and keeps 11 bits", async () => {
  const store = viewStoreIn(directory, { ...augment, views: { ...views, float16: true } }, { classes: 2, of });
  await store.write({ seed: 0, epoch: 1 }, logits);
  const { values } = (await store.read({ seed: 0, epoch: 1 }))!;
  for (const [i, value] of values.entries()) {
    expect(Math.abs(value / logits.values[i]! - 1)).toBeLessThanOrEqual(2 ** -11);
  }
  expect(await readdir(join(directory, "views"))).toHaveLength(1);
});
