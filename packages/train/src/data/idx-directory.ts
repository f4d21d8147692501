/** A directory with the four idx files under their usual names. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type { Dataset } from "./dataset.ts";
import { hashDataset } from "./hash-dataset.ts";
import { readIdx, readIdxImages } from "./idx.ts";

const PARTS = { train: "train", test: "t10k" } as const;

/**
 * Loads `{train,t10k}-{images-idx3,labels-idx1}-ubyte` with or without `.gz`, `.` for `-`, or an `.idx` end.
 *
 * @param labels - Names of the classes; without them the largest label says how many there are.
 * @throws DistillateError as `readIdxImages`, and `idx-missing` naming the file that is looked for.
 */
export async function loadIdxDirectory(directory: string, name: string, labels?: readonly string[]): Promise<Dataset> {
  const files = await readdir(directory).catch((error: unknown) => {
    throw missing(`the directory ${directory} cannot be read`, error);
  });
  const find = (part: string, what: "images" | "labels"): string => {
    const pattern = new RegExp(`^${part}[-.]${what}[-.]idx[134][-.]ubyte(\\.idx)?(\\.gz)?$`);
    const file = files.find((candidate) => pattern.test(candidate));
    if (file === undefined) {
      throw missing(`${directory} has no ${part}-${what}-idx${what === "images" ? 3 : 1}-ubyte, plain or .gz`);
    }
    return join(directory, file);
  };

  const paths = {
    train: { images: find(PARTS.train, "images"), labels: find(PARTS.train, "labels") },
    test: { images: find(PARTS.test, "images"), labels: find(PARTS.test, "labels") },
  };
  const names = labels ?? (await numberedLabels(paths.train.labels));
  const [train, test] = await Promise.all([
    readIdxImages(paths.train.images, paths.train.labels, names.length),
    readIdxImages(paths.test.images, paths.test.labels, names.length),
  ]);
  if (train.shape.join() !== test.shape.join()) {
    throw new DistillateError({
      code: "idx-shape",
      message: `${paths.train.images} has images of ${train.shape.join(" x ")}, ${paths.test.images} of ${test.shape.join(" x ")}`,
      hint: "Take both parts from the same set.",
    });
  }
  const parts = { labels: names, train, test };
  return { name, ...parts, hash: hashDataset(parts), notes: [] };
}

async function numberedLabels(path: string): Promise<readonly string[]> {
  const { data } = await readIdx(path);
  const largest = data.reduce((maximum, label) => Math.max(maximum, label), 0);
  return Array.from({ length: largest + 1 }, (_, index) => String(index));
}

function missing(message: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "idx-missing",
    message,
    hint: "Give the directory that has the four idx files with --data DIR.",
    cause,
  });
}
