/**
 * What a device remembers of one model: which version serves, which served before, which waits, how often it failed to start,
 * and which backend proved best. Transitions are pure; one write makes each of them whole or not done at all.
 */
import { sha256Hex } from "@distillate/bundle";
import type { Candidate } from "./planner.ts";
import { withLock } from "./store/locks.ts";
import { keyOf, type Store } from "./store/store.ts";

/** The state of one model address. */
export interface ModelRecord {
  readonly url: string;
  /** The text of the manifest that serves. */
  readonly current: string;
  readonly previous?: string;
  /** Downloaded and self-tested; serves from the next load on. */
  readonly staged?: string;
  /** Loads since the last that came to a self-test: those under way and those whose page died. */
  readonly starts: readonly string[];
  /** SHA-256 of manifests that failed here and are not taken again. */
  readonly rejected: readonly string[];
  /** The key that the versions were checked with. */
  readonly signedBy?: string;
  /** A number of this device in [0, 1), for updates that go to a share of devices. */
  readonly bucket: number;
  /** By device and model version: what was chosen. */
  readonly choices: Readonly<Record<string, Candidate>>;
}

/** Loads in a row that may end without a self-test before the previous version serves again. */
const CRASH_LOOP = 3;
const REMEMBERED_CHOICES = 8;
const REMEMBERED_STARTS = 32;

/** A record of a model that is loaded for the first time. */
export function firstRecord(url: string, current: string, bucket: number, signedBy?: string): ModelRecord {
  const signed = signedBy === undefined ? {} : { signedBy };
  return { url, current, starts: [], rejected: [], bucket, choices: {}, ...signed };
}

/** The next load begins: a staged version takes over. */
export function activate(record: ModelRecord): ModelRecord {
  const { staged, ...rest } = record;
  return staged === undefined ? record : takeOver(rest, staged);
}

/** A version serves from now on, and the one that did is kept. */
export function takeOver(record: ModelRecord, manifest: string): ModelRecord {
  if (record.current === manifest) return record;
  return { ...record, current: manifest, previous: record.current, starts: [] };
}

/** A start is attempted; its name stays when the page dies on the way. */
export function beginStart(record: ModelRecord, start: string): ModelRecord {
  return { ...record, starts: [...record.starts, start].slice(-REMEMBERED_STARTS) };
}

/** A start came to an end that says nothing about the version. */
export function endStart(record: ModelRecord, start: string): ModelRecord {
  if (!record.starts.includes(start)) return record;
  return { ...record, starts: record.starts.filter((each) => each !== start) };
}

/** The self-test passed. */
export function confirmStart(record: ModelRecord, device: string, choice: Candidate): ModelRecord {
  const { [device]: _, ...others } = record.choices;
  const choices = Object.entries({ ...others, [device]: choice }).slice(-REMEMBERED_CHOICES);
  return { ...record, starts: [], choices: Object.fromEntries(choices) };
}

/** Whether the serving version died so often that the one before should serve; `underWay` starts live in other tabs. */
export function isCrashLoop({ starts, previous }: ModelRecord, underWay: ReadonlySet<string>): boolean {
  return previous !== undefined && starts.filter((start) => !underWay.has(start)).length >= CRASH_LOOP;
}

/** Back to the version before; the failed one is not taken again. `undefined` where there is none. */
export async function rollBack(record: ModelRecord): Promise<ModelRecord | undefined> {
  const { previous, ...rest } = record;
  if (previous === undefined) return undefined;
  return { ...(await reject(rest, record.current)), current: previous, starts: [] };
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

/**
 * Changes a record: read, changed and written while no other tab does the same. `change` gets `undefined` where there is no
 * record, and returns its argument where there is nothing to do. Rejects when the store does not take it.
 */
export async function changeRecord(
  store: Store,
  url: string,
  change: (record: ModelRecord | undefined) => ModelRecord | undefined | Promise<ModelRecord | undefined>,
): Promise<ModelRecord | undefined> {
  const key = keyOf.record(await textHash(url));
  return withLock(key, async () => {
    const before = await readRecord(store, url);
    const after = await change(before);
    if (after && after !== before) await store.write(key, new TextEncoder().encode(JSON.stringify(after)));
    return after;
  });
}

/** A record from its bytes. */
export function parseRecord(bytes: Uint8Array): ModelRecord | undefined {
  try {
    const record = JSON.parse(new TextDecoder().decode(bytes)) as Partial<ModelRecord>;
    const { url, current, starts, rejected, bucket, choices } = record;
    const sound =
      typeof url === "string" &&
      typeof current === "string" &&
      Array.isArray(starts) &&
      typeof bucket === "number" &&
      Array.isArray(rejected) &&
      typeof choices === "object" &&
      choices !== null;
    return sound ? (record as ModelRecord) : undefined;
  } catch {
    return undefined;
  }
}

function textHash(text: string): Promise<string> {
  return sha256Hex(new TextEncoder().encode(text));
}
