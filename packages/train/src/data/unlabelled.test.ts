import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { Images } from "./dataset.ts";
import { NO_LABEL } from "./dataset.ts";
import { learningSetOf, onLabelsAlone } from "./learning-set.ts";
import { loadUnlabelled } from "./unlabelled-folder.ts";

const target = { width: 8, height: 8, channels: 1, fit: "cover" } as const;
const png = (grey: number) =>
  sharp({ create: { width: 10, height: 10, channels: 3, background: { r: grey, g: grey, b: grey } } })
    .png()
    .toBuffer();

test("images at any depth, in one order, decoded once; what is no image is left out by name", async () => {
  const directory = await mkdtemp(join(tmpdir(), "distillate-unlabelled-"));
  const options = { cacheDir: join(directory, "cache") };
  await mkdir(join(directory, "more/b"), { recursive: true });
  await writeFile(join(directory, "more/z.png"), await png(200));
  await writeFile(join(directory, "more/b/a.png"), await png(100));
  await writeFile(join(directory, "more/b/notes.txt"), "no image");
  await writeFile(join(directory, "more/broken.jpg"), "no image either");
  const first = await loadUnlabelled(join(directory, "more"), target, options);
  expect(first.images).toMatchObject({ count: 2, shape: [8, 8, 1], names: ["b/a.png", "z.png"] });
  expect([first.images.pixels[0], first.images.pixels[64]]).toEqual([100, 200]);
  expect([...first.images.classes]).toEqual([NO_LABEL, NO_LABEL]);
  expect(first.notes.map(({ message }) => message)).toEqual([expect.stringContaining("broken.jpg")]);
  const again = await loadUnlabelled(join(directory, "more"), target, options);
  expect(again).toEqual(first);
  await expect(loadUnlabelled(join(directory, "more/none"), target, options)).rejects.toMatchObject({
    code: "unlabelled-missing",
  });
  await mkdir(join(directory, "empty"));
  await expect(loadUnlabelled(join(directory, "empty"), target, options)).rejects.toMatchObject({
    code: "unlabelled-empty",
  });
});

const images = (count: number, classes: (i: number) => number): Images => ({
  count,
  shape: [2, 2, 1],
  pixels: Uint8Array.from({ length: 4 * count }, (_, i) => i % 251),
  classes: Uint16Array.from({ length: count }, (_, i) => classes(i)),
});

test("who hears a teacher learns from all, who doesn't from the labelled, and validation from neither", () => {
  const train = images(100, (i) => i % 2);
  const unlabelled = images(50, () => NO_LABEL);
  const config = { data: { kind: "mnist", testFraction: 0.2, validation: 20, labelled: 0.25 }, seeds: [1] } as const;
  const set = learningSetOf({ train, unlabelled }, { ...config, seeds: [1] });
  expect([set.validation.length, set.labelled.length, set.all.length, set.hidden.size]).toEqual([20, 20, 130, 60]);
  expect(set.images.pixels.subarray(400)).toEqual(unlabelled.pixels);
  const validation = new Set(set.validation);
  expect([...set.all].filter((i) => validation.has(i))).toEqual([]);
  expect([...set.labelled].filter((i) => set.hidden.has(i) || i >= 100)).toEqual([]);
  // As many steps: 130 images in 4 epochs are 20 images in 26.
  expect(onLabelsAlone({ epochs: 4, patience: 2 }, set)).toEqual({ epochs: 26, patience: 13 });
});
