import { readFile } from "node:fs/promises";
import type { Logits } from "@distillate/train";

/** Logits on the test part, and the teacher's on the training part: float32, row after row. */
export const TEST_LOGITS = "test-logits.bin";
/** See {@link TEST_LOGITS}. */
export const TRAIN_LOGITS = "train-logits.bin";

/** The bytes of logits as they lie in a file. */
export function logitsBytes({ values }: Pick<Logits, "values">): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Reads logits of so many classes. */
export async function readLogits(path: string, classes: number): Promise<Logits> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return { classes, values: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)) };
}
