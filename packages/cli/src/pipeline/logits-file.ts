import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logits, writeFileAtomic } from "@distillate/train";
import { float16Bits, float16Value } from "./float16.ts";

/** Logits on the test part: float32, row after row. */
export const TEST_LOGITS = "test-logits.bin";
/** The same with the weights of the last epoch, whatever the validation part says of it. */
export const LAST_TEST_LOGITS = "last-test-logits.bin";
/** What a teacher of which nothing else is there said of all images that students learn from. */
export const TRAIN_LOGITS = "train-logits.bin";
/** Logits on the validation part. */
export const VALIDATION_LOGITS = "validation-logits.bin";

/** Writes logits into a stage's directory. */
export async function writeLogits(directory: string, file: string, logits: Pick<Logits, "values">): Promise<void> {
  await writeFileAtomic(join(directory, file), logitsBytes(logits));
}

/** The bytes of logits as they lie in a file. */
export function logitsBytes({ values }: Pick<Logits, "values">): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Reads logits of so many classes. */
export async function readLogits(path: string, classes: number): Promise<Logits> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return { classes, values: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)) };
}

/** Writes logits as float16, to the nearest. */
export async function writeHalfLogits(
  directory: string,
  file: string,
  { values }: Pick<Logits, "values">,
): Promise<void> {
  await writeFileAtomic(join(directory, file), new Uint8Array(Uint16Array.from(values, float16Bits).buffer));
}

/** Reads what {@link writeHalfLogits} wrote. */
export async function readHalfLogits(path: string, classes: number): Promise<Logits> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  const bits = new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return { classes, values: Float32Array.from(bits, float16Value) };
}
