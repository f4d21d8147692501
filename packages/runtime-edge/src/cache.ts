/** What models keep on this device, for a settings page: list, evict, clear, and the browser's word on room. */
import { type FileRef, parseManifest } from "@distillate/bundle";
import { BROWSER_BACKENDS } from "./backends/index.ts";
import { type ModelRecord, parseRecord } from "./record.ts";
import { openStore } from "./store/open-store.ts";
import { keyOf, type Store, type StoreKind } from "./store/store.ts";

/** One model that is kept. */
export interface CachedModel {
  readonly url: string;
  readonly id: string;
  readonly semver: string;
  /** Bytes of its files that are here; onnxruntime's own are shared and not counted. */
  readonly bytes: number;
  readonly complete: boolean;
}

/** The cache of this origin. */
export const cache = {
  /** Models with what they take. */
  async list(kind: StoreKind | "auto" = "auto"): Promise<readonly CachedModel[]> {
    const store = await open(kind);
    const sizes = new Map((await store.list()).map(({ key, bytes }) => [key, bytes]));
    return (await records(store)).map(({ url, current }) => {
      const manifest = parseManifest(current);
      const files = filesOf(current).map(({ sha256 }) => sizes.get(keyOf.file(sha256)));
      return {
        url,
        id: manifest.id,
        semver: manifest.semver,
        bytes: files.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0),
        complete: manifest.variants.some(({ file }) => sizes.has(keyOf.file(file.sha256))),
      };
    });
  },

  /** Removes a model by its address; files that other models use stay. */
  async evict(url: string, kind: StoreKind | "auto" = "auto"): Promise<void> {
    const store = await open(kind);
    for (const { key } of await store.list()) {
      if (!key.startsWith("record/")) continue;
      const record = parseRecord((await store.read(key)) ?? new Uint8Array());
      if (record?.url === new URL(url, globalThis.location?.href).href) await store.remove(key);
    }
    await sweepNow(store);
  },

  /** Removes everything. */
  async clear(kind: StoreKind | "auto" = "auto"): Promise<void> {
    const store = await open(kind);
    for (const { key } of await store.list()) await store.remove(key);
  },

  /** Asks the browser not to evict under pressure. */
  persist: async (): Promise<boolean> => (await navigator.storage?.persist?.()) ?? false,

  /** Bytes used and allowed for this origin, where the browser tells. */
  quota: async (): Promise<{ readonly used: number; readonly allowed: number } | undefined> => {
    const estimate = await navigator.storage?.estimate?.();
    return estimate && { used: estimate.usage ?? 0, allowed: estimate.quota ?? 0 };
  },
} as const;

/** Removes files, whole and begun, that no record names. What cannot be removed now is left to the next sweep. */
export async function sweep(store: Store): Promise<void> {
  await sweepNow(store).catch(() => {});
}

/** A load writes its record before it has files. */
async function sweepNow(store: Store): Promise<void> {
  // Listed first: what another tab begins from here on has its record by the time that records are read.
  const entries = await store.list();
  const runtimes = Object.values(BROWSER_BACKENDS).flatMap(({ runtime }) => (runtime ? [runtime] : []));
  const versions = (await records(store)).flatMap(({ current, previous, staged }) =>
    [current, previous, staged].flatMap((text) => (text === undefined ? [] : filesOf(text))),
  );
  const needed = new Set([...runtimes, ...versions].map(({ sha256 }) => sha256));
  for (const { key } of entries) {
    const [kind, sha256] = key.split("/") as [string, string];
    if (kind !== "record" && !needed.has(sha256)) await store.remove(key);
  }
}

function open(kind: StoreKind | "auto"): Promise<Store> {
  return openStore(kind, () => {});
}

async function records(store: Store): Promise<readonly ModelRecord[]> {
  const keys = (await store.list()).map(({ key }) => key).filter((key) => key.startsWith("record/"));
  const found = await Promise.all(keys.map(async (key) => parseRecord((await store.read(key)) ?? new Uint8Array())));
  return found.filter((record) => record !== undefined);
}

function filesOf(text: string): readonly FileRef[] {
  const { variants, probe } = parseManifest(text);
  return [...variants.map(({ file }) => file), ...(probe ? [probe.file] : [])];
}
