/**
 * What a device remembers of one model: which version serves, which served before, which waits, how often it failed to start,
 * and which backend proved best. Transitions are pure; one write makes each of them whole or not done at all.
 */
import { sha256Hex } from "@distillate/bundle";
import type { Candidate } from "./planner.ts";
import { keyOf, type Store } from "./store/store.ts";

/** The state of one model address. */
export interface ModelRecord {
  readonly url: string;
  /** The text of the manifest that serves. */
  readonly current: string;
  readonly previous?: string;
  /** Downloaded and self-tested; serves from the next load on. */
  readonly staged?: string;
  /** Loads since the last that came to a self-test. */
  readonly starts: number;
  /** SHA-256 of manifests that failed here and are not taken again. */
  readonly rejected: readonly string[];
  /** A number of this device in [0, 1), for updates that go to a share of devices. */
  readonly bucket: number;
  /** By device and model version: what was chosen. */
  readonly choices: Readonly<Record<string, Candidate>>;
}

/** Loads in a row that may end without a self-test before the previous version serves again. */
const CRASH_LOOP = 3;
const REMEMBERED_CHOICES = 8;

/** A record of a model that is loaded for the first time. */
export function firstRecord(url: string, current: string, bucket: number): ModelRecord {
  return { url, current, starts: 0, rejected: [], bucket, choices: {} };
}

/** The next load begins: a staged version takes over. */
export function activate(record: ModelRecord): ModelRecord {
  const { staged, ...rest } = record;
  return staged === undefined ? record : { ...rest, current: staged, previous: record.current, starts: 0 };
}

/** A start is attempted; the count stays when the page dies on the way. */
export function beginStart(record: ModelRecord): ModelRecord {
  return { ...record, starts: record.starts + 1 };
}

/** The self-test passed. */
export function confirmStart(record: ModelRecord, device: string, choice: Candidate): ModelRecord {
  const choices = Object.entries({ ...record.choices, [device]: choice }).slice(-REMEMBERED_CHOICES);
  return { ...record, starts: 0, choices: Object.fromEntries(choices) };
}

/** Whether the serving version died so often that the one before should serve. */
export function isCrashLoop({ starts, previous }: ModelRecord): boolean {
  return starts >= CRASH_LOOP && previous !== undefined;
}

/** Back to the version before; the failed one is not taken again. `undefined` where there is none. */
export async function rollBack(record: ModelRecord): Promise<ModelRecord | undefined> {
  const { previous, ...rest } = record;
  if (previous === undefined) return undefined;
  return { ...(await reject(rest, record.current)), current: previous, starts: 0 };
}

/** A version passed its self-test and waits. */
export function stage(record: ModelRecord, manifest: string): ModelRecord {
  return { ...record, staged: manifest };
}

/** A version failed here. */
export async function reject(record: ModelRecord, manifest: string): Promise<ModelRecord> {
  const hash = await textHash(manifest);
  return { ...record, rejected: [...record.rejected.filter((each) => each !== hash), hash] };
}

/** Whether a version failed here before. */
export async function isRejected(record: ModelRecord, manifest: string): Promise<boolean> {
  return record.rejected.includes(await textHash(manifest));
}

/** Reads a record; one that is damaged counts as none. */
export async function readRecord(store: Store, url: string): Promise<ModelRecord | undefined> {
  const bytes = await store.read(keyOf.record(await textHash(url))).catch(() => undefined);
  return bytes && parseRecord(bytes);
}

/** Writes a record, whole or not at all. */
export async function writeRecord(store: Store, record: ModelRecord): Promise<void> {
  await store.write(keyOf.record(await textHash(record.url)), new TextEncoder().encode(JSON.stringify(record)));
}

/** A record from its bytes. */
export function parseRecord(bytes: Uint8Array): ModelRecord | undefined {
  try {
    const record = JSON.parse(new TextDecoder().decode(bytes)) as Partial<ModelRecord>;
    const { url, current, starts, rejected, bucket, choices } = record;
    const sound =
      typeof url === "string" &&
      typeof current === "string" &&
      typeof starts === "number" &&
      typeof bucket === "number" &&
      Array.isArray(rejected) &&
      typeof choices === "object";
    return sound ? (record as ModelRecord) : undefined;
  } catch {
    return undefined;
  }
}

function textHash(text: string): Promise<string> {
  return sha256Hex(new TextEncoder().encode(text));
}
