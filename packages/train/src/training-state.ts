/**
 * Where a training stands, in one file that is there whole or not at all: position, history, weights, optimiser slots, the
 * weights' moving average and the best weights so far. All randomness is a function of the seed and the position, so this is everything.
 *
 * Layout: "DTRS", version (u32 LE = 2), length of the header (u32 LE), header (JSON), then the arrays as float32, little-endian,
 * in the header's order. The header carries the SHA-256 of the arrays.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "./atomic-write.ts";

const MAGIC = "DTRS";
const VERSION = 2;
const PREFIX = 12;

/** The arrays of a training state. */
export interface TrainingArrays {
  /** All weights of the model, in its order. */
  readonly weights: readonly Float32Array[];
  /** Optimiser slots, weight by weight. */
  readonly slots: readonly Float32Array[];
  /** Moving average of the weights; empty where none is kept. */
  readonly average: readonly Float32Array[];
  /** Weights of the best epoch so far; empty before the first. */
  readonly best: readonly Float32Array[];
}

/** A training state; `position` is whatever the loop needs to go on, as JSON. */
export interface TrainingState<Position> extends TrainingArrays {
  readonly position: Position;
}

interface Header<Position> {
  readonly position: Position;
  readonly lengths: { readonly [Name in keyof TrainingArrays]: readonly number[] };
  readonly sha256: string;
}

const GROUPS: readonly (keyof TrainingArrays)[] = ["weights", "slots", "average", "best"];

/** Writes a training state over the one that is there. */
export async function writeTrainingState<Position>(path: string, state: TrainingState<Position>): Promise<void> {
  const arrays = Buffer.concat(GROUPS.flatMap((group) => state[group]).map(bytesOf));
  const header: Header<Position> = {
    position: state.position,
    lengths: {
      weights: state.weights.map(({ length }) => length),
      slots: state.slots.map(({ length }) => length),
      average: state.average.map(({ length }) => length),
      best: state.best.map(({ length }) => length),
    },
    sha256: createHash("sha256").update(arrays).digest("hex"),
  };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX);
  prefix.write(MAGIC, "latin1");
  prefix.writeUInt32LE(VERSION, 4);
  prefix.writeUInt32LE(text.length, 8);
  await writeFileAtomic(path, Buffer.concat([prefix, text, arrays]));
}

/**
 * Reads a training state; `undefined` when there is none.
 *
 * @throws DistillateError `checkpoint-corrupted` when the file isn't what was written.
 */
export async function readTrainingState<Position>(path: string): Promise<TrainingState<Position> | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const header = parseHeader<Position>(bytes, path);
  const arrays = bytes.subarray(PREFIX + bytes.readUInt32LE(8));
  const found = createHash("sha256").update(arrays).digest("hex");
  if (found !== header.sha256) throw corrupted(path, `its arrays have SHA-256 ${found}, expected ${header.sha256}`);

  let offset = 0;
  const take = (lengths: readonly number[]): readonly Float32Array[] =>
    lengths.map((length) => {
      const array = new Float32Array(length);
      Buffer.from(array.buffer).set(arrays.subarray(offset, offset + 4 * length));
      offset += 4 * length;
      return array;
    });
  const { weights, slots, average, best } = header.lengths;
  return {
    position: header.position,
    weights: take(weights),
    slots: take(slots),
    average: take(average),
    best: take(best),
  };
}

function parseHeader<Position>(bytes: Buffer, path: string): Header<Position> {
  if (bytes.length < PREFIX || bytes.toString("latin1", 0, 4) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
    throw corrupted(path, `it has ${bytes.length} bytes that do not begin as a training state of version ${VERSION}`);
  }
  const end = PREFIX + bytes.readUInt32LE(8);
  try {
    return JSON.parse(bytes.toString("utf8", PREFIX, end)) as Header<Position>;
  } catch (error) {
    throw corrupted(path, `its header is no JSON (${(error as Error).message})`);
  }
}

function bytesOf(array: Float32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function corrupted(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "checkpoint-corrupted",
    message: `${path} cannot be resumed from: ${what}`,
    hint: `Delete ${path} and run again: this network starts anew, everything finished is kept.`,
  });
}
