/** Where a device keeps what was downloaded. Files are named by their SHA-256, so no file can be mistaken for another version. */

/** Named bytes that outlive the page. A write is there as a whole or not at all. */
export interface Store {
  readonly kind: StoreKind;
  read(key: string): Promise<Uint8Array | undefined>;
  write(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  list(): Promise<readonly StoredEntry[]>;
}

/** Kinds of storage, in the order in which they are tried. */
export type StoreKind = "cache-api" | "opfs" | "memory";

/** One name with its size. */
export interface StoredEntry {
  readonly key: string;
  readonly bytes: number;
}

/** Keys: whole files, what arrived of a file before a download broke off, and one record per model address. */
export const keyOf = {
  file: (sha256: string): string => `file/${sha256}`,
  partial: (sha256: string): string => `partial/${sha256}`,
  record: (hash: string): string => `record/${hash}`,
} as const;
