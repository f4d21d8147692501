import { createBreather } from "../breathe.ts";
import type { Store } from "./store.ts";

const NAME = "distillate-1";
/** Names in the Cache API are addresses; this one is reserved never to exist (RFC 2606). */
const BASE = "https://distillate.invalid/";

/** The Cache API: made for files, in every browser of a secure page, shared by its tabs and service worker. */
export async function cacheApiStore(): Promise<Store> {
  const cache = await caches.open(NAME);
  return {
    kind: "cache-api",
    async read(key) {
      const response = await cache.match(BASE + key);
      return response && new Uint8Array(await response.arrayBuffer());
    },
    async write(key, bytes) {
      const headers = { "content-length": String(bytes.byteLength), "content-type": "application/octet-stream" };
      await cache.put(BASE + key, new Response(inPieces(bytes), { headers }));
    },
    remove: async (key) => void (await cache.delete(BASE + key)),
    async list() {
      const requests = (await cache.keys()).filter(({ url }) => url.startsWith(BASE));
      return Promise.all(
        requests.map(async ({ url }) => ({
          key: url.slice(BASE.length),
          bytes: Number((await cache.match(url))?.headers.get("content-length") ?? 0),
        })),
      );
    },
  };
}

const PIECE = 1024 * 1024;

/** As a whole, 14 MB would hold the page up for 40 ms. */
function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const breathe = createBreather();
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      await breathe();
      if (at >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.subarray(at, at + PIECE));
      at += PIECE;
    },
  });
}
