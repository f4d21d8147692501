import type { Store } from "./store.ts";

/** Keeps bytes as long as the page lives: private windows, plain http, quota used up. */
export function memoryStore(): Store {
  const entries = new Map<string, Uint8Array>();
  return {
    kind: "memory",
    read: async (key) => entries.get(key)?.slice(),
    write: async (key, bytes) => void entries.set(key, bytes.slice()),
    remove: async (key) => void entries.delete(key),
    list: async () => [...entries].map(([key, { byteLength }]) => ({ key, bytes: byteLength })),
  };
}
