import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { type ImageFolderOptions, loadImageFolder } from "./image-folder.ts";

const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), "distillate-images-"));

/** An image of one colour, with a mark in its upper left corner. */
async function write(path: string, width: number, height: number, colour: string, orientation?: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const mark = { create: { width: width >> 1, height: height >> 1, channels: 3, background: "#fff" } } as const;
  const corner = await sharp(mark).png().toBuffer();
  const image = sharp({ create: { width, height, channels: 3, background: colour } }).composite([
    { input: corner, gravity: "northwest" },
  ]);
  await (orientation === undefined ? image : image.withMetadata({ orientation })).toFile(path);
}

async function options(over: Partial<ImageFolderOptions> = {}): Promise<ImageFolderOptions> {
  return { cacheDir: await scratch(), seed: 1, testFraction: 0.25, ...over };
}
const image = { width: 8, height: 8, channels: 3, fit: "stretch" } as const;

test("train and test directories, several formats and sizes, decoded once", async () => {
  const directory = await scratch();
  await write(join(directory, "train/cat/1.png"), 20, 30, "#f00");
  await write(join(directory, "train/cat/2.webp"), 9, 9, "#f00");
  await write(join(directory, "train/dog/1.jpg"), 40, 10, "#00f");
  await write(join(directory, "test/dog/9.png"), 8, 8, "#00f");
  await writeFile(join(directory, "train/dog/notes.txt"), "no image");
  const events: number[] = [];
  const settings = await options({ image, onEvent: (event) => event.kind === "progress" && events.push(event.done) });
  const set = await loadImageFolder(directory, settings);
  expect(set.labels).toEqual(["cat", "dog"]);
  expect([...set.train.classes]).toEqual([0, 0, 1]);
  expect([...set.test.classes]).toEqual([1]);
  expect(set.train.shape).toEqual([8, 8, 3]);
  // The lower right is the colour, the upper left is white.
  const last = set.test.pixels.subarray(-3);
  expect([...last]).toEqual([0, 0, 255]);
  expect([...set.test.pixels.subarray(0, 3)]).toEqual([255, 255, 255]);
  expect(set.notes.map(({ code }) => code).sort()).toEqual(["files-skipped", "test-classes-missing"]);
  expect(events.at(-1)).toBe(4);

  events.length = 0;
  expect(await loadImageFolder(directory, settings)).toEqual(set);
  expect(events).toEqual([]);
  const file = join(directory, "train/cat/1.png");
  await utimes(file, new Date(), new Date());
  await loadImageFolder(directory, settings);
  expect(events.at(-1)).toBe(4);
});

test("EXIF orientation is applied: a picture lying on its side is set upright", async () => {
  const directory = await scratch();
  // Orientation 6: the camera was turned, a viewer turns the picture 90 degrees clockwise; the mark comes to the upper right.
  await write(join(directory, "train/a/1.jpg"), 16, 16, "#000", 6);
  await write(join(directory, "train/b/1.jpg"), 16, 16, "#000");
  await write(join(directory, "test/a/1.jpg"), 16, 16, "#000");
  const { train } = await loadImageFolder(directory, await options({ image }));
  const [upperLeft, upperRight] = [0, 7].map((x) => train.pixels[x * 3]!);
  expect(upperLeft).toBeLessThan(40);
  expect(upperRight).toBeGreaterThan(215);
  expect(train.pixels[8 * 8 * 3]).toBeGreaterThan(215);
});

test("without train and test: split by seed within each class; size chosen and noted", async () => {
  const directory = await scratch();
  for (const name of ["x", "y"])
    for (let i = 0; i < 8; i++) await write(join(directory, name, `${i}.png`), 24 + i, 60, "#123");
  const one = await loadImageFolder(directory, await options());
  expect([one.train.count, one.test.count]).toEqual([12, 4]);
  expect([...one.test.classes].sort()).toEqual([0, 0, 1, 1]);
  expect(one.train.shape).toEqual([28, 28, 3]);
  expect(one.notes).toMatchObject([{ code: "image-size-chosen" }]);
  expect((await loadImageFolder(directory, await options())).hash).toBe(one.hash);
});

test("damaged files are left out and named; a damaged cache is an error with the way out", async () => {
  const directory = await scratch();
  for (const name of ["x", "y"]) {
    await write(join(directory, "train", name, "1.png"), 9, 9, "#123");
    await write(join(directory, "test", name, "1.png"), 9, 9, "#123");
  }
  await writeFile(join(directory, "train/x/0.jpg"), "not a picture");
  const settings = await options({ image });
  const set = await loadImageFolder(directory, settings);
  expect(set.train.count).toBe(2);
  expect(set.notes[0]).toMatchObject({ code: "images-unreadable", message: expect.stringContaining("x/0.jpg") });
  const [cached] = await readdir(settings.cacheDir);
  await writeFile(join(settings.cacheDir, cached!), "DSET");
  await expect(loadImageFolder(directory, settings)).rejects.toMatchObject({ code: "data-cache-corrupted" });
});

test.each<[string, (directory: string) => Promise<void>, string]>([
  ["no such directory", (directory) => rm(directory, { recursive: true }), "image-folder-missing"],
  ["a single class", (directory) => write(join(directory, "only/1.png"), 9, 9, "#000"), "image-folder-classes"],
  ["train alone", (directory) => write(join(directory, "train/a/1.png"), 9, 9, "#000"), "image-folder-missing"],
  [
    "a class that only the test part has",
    async (directory) => {
      for (const path of ["train/a/1.png", "train/b/1.png", "test/c/1.png"])
        await write(join(directory, path), 9, 9, "#000");
    },
    "image-folder-classes",
  ],
  [
    "no image that can be read",
    async (directory) => {
      for (const path of ["train/a/1.png", "train/b/1.png", "test/a/1.png"]) {
        await mkdir(dirname(join(directory, path)), { recursive: true });
        await writeFile(join(directory, path), "x");
      }
    },
    "images-unreadable",
  ],
])("%s", async (_what, prepare, code) => {
  const directory = await scratch();
  await prepare(directory);
  await expect(loadImageFolder(directory, await options())).rejects.toMatchObject({ code });
});
