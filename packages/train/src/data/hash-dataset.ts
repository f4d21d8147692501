import { createHash } from "node:crypto";
import type { Dataset } from "./dataset.ts";

/** SHA-256 over labels, shapes, pixels and classes, in lower-case hex. */
export function hashDataset({ labels, train, test }: Pick<Dataset, "labels" | "train" | "test">): string {
  const hash = createHash("sha256").update(JSON.stringify(labels));
  for (const { shape, count, pixels, classes } of [train, test]) {
    hash.update(JSON.stringify([count, ...shape])).update(pixels);
    hash.update(new Uint8Array(classes.buffer, classes.byteOffset, classes.byteLength));
  }
  return hash.digest("hex");
}
