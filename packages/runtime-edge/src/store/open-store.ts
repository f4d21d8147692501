import type { OnEvent } from "../events.ts";
import { cacheApiStore } from "./cache-api.ts";
import { memoryStore } from "./memory.ts";
import { opfsStore } from "./opfs.ts";
import type { Store, StoreKind } from "./store.ts";

/** The places in their order; the first that works is taken. */
const STORES: readonly { readonly kind: StoreKind; readonly open: () => Promise<Store> }[] = [
  { kind: "cache-api", open: cacheApiStore },
  { kind: "opfs", open: opfsStore },
];

/** One for the page, so that a second model finds what the first one loaded. */
const MEMORY = memoryStore();

/** Opens the preferred store or the first that works here; every refusal is an event. Memory always works. */
export async function openStore(preference: StoreKind | "auto", onEvent: OnEvent): Promise<Store> {
  for (const { kind, open } of STORES) {
    if (preference !== "auto" && preference !== kind) continue;
    try {
      const store = await open();
      await store.read("probe");
      return store;
    } catch (error) {
      onEvent({ kind: "store-unavailable", store: kind, message: (error as Error).message });
    }
  }
  return MEMORY;
}
