/** Where models are kept: no room, rot, two tabs, no storage at all; and what can be listed, evicted and cleared. */
import { describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { TRY } from "./page-code.ts";
import { inPage } from "./sdk-page.ts";
import { siteForTests } from "./site-for-tests.ts";

type Event = { readonly kind: string; readonly file?: string; readonly from?: string };

describe.skipIf(!findChromium())("store (needs Chromium)", () => {
  const here = siteForTests();

  test("a stored file that rotted is fetched again", async () => {
    await inPage(here.page, null, `${TRY} return attempt();`);
    const { label, events } = await inPage<{ label: string; events: Event[] }>(
      here.page,
      here.site.bundle("cnn").manifest.variants[0]!.file.sha256,
      `${TRY}
      const store = await caches.open("distillate-1");
      await store.put("https://distillate.invalid/file/" + argument, new Response(new Uint8Array(10)));
      return { label: await attempt(), events };`,
    );
    expect(label).toMatch(/^\d$/);
    expect(events.filter(({ kind }) => kind === "store-corrupt")).toHaveLength(1);
  });

  test.each(["cache-api", "opfs"])(
    "%s without room: the model runs, and an event says why it is not kept",
    async (store) => {
      const session = await here.page.context().newCDPSession(here.page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: here.site.server.url, quotaSize: 1024 * 1024 });
      const { label, events } = await inPage<{ label: string; events: Event[] }>(
        here.page,
        store,
        `${TRY} options.store = argument; return { label: await attempt(), events };`,
      );
      expect(label).toMatch(/^\d$/);
      expect(events.some(({ kind }) => kind === "store-full")).toBe(true);
    },
  );

  test("OPFS keeps a model as the Cache API does", async () => {
    const events = await inPage<Event[]>(
      here.page,
      null,
      `${TRY} options.store = "opfs"; await attempt(); events.length = 0; await attempt(); return events;`,
    );
    expect(events.filter(({ kind }) => kind === "file").map(({ from }) => from)).not.toContain("network");
  });

  test("two tabs that load at once both run, and what they stored is whole", async () => {
    const other = await here.page.context().newPage();
    await other.goto(here.site.server.url);
    const labels = await Promise.all(
      [here.page, other].map((each) => inPage<string>(each, null, `${TRY} return attempt();`)),
    );
    expect(labels[0]).toBe(labels[1]);
    const events = await inPage<Event[]>(other, null, `${TRY} await attempt(); return events;`);
    expect(events.filter(({ kind }) => kind === "store-corrupt" || kind === "store-full")).toEqual([]);
  });

  test("the cache lists, evicts and clears", async () => {
    const found = await inPage<{
      listed: { id: string; complete: boolean; bytes: number }[];
      left: number;
      cleared: number;
    }>(
      here.page,
      null,
      `${TRY}
      await attempt();
      const other = await sdk.load("/ds-cnn/", options);
      await other.dispose();
      const listed = await sdk.cache.list();
      await sdk.cache.evict("/cnn/manifest.json");
      const left = (await sdk.cache.list()).length;
      await sdk.cache.clear();
      return { listed, left, cleared: (await (await caches.open("distillate-1")).keys()).length };`,
    );
    expect(found.listed.map(({ id }) => id).sort()).toEqual(["cnn", "ds-cnn"]);
    expect(found.listed.every(({ complete, bytes }) => complete && bytes > 1000)).toBe(true);
    expect(found).toMatchObject({ left: 1, cleared: 0 });
  });

  test.each(["cache-api", "opfs"])(
    "%s without room and no network: an engine that is replaced finds its files",
    async (store) => {
      const session = await here.page.context().newCDPSession(here.page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: here.site.server.url, quotaSize: 1024 });
      const found = await inPage<{ label: string; restarts: number }>(
        here.page,
        store,
        `${TRY}
      const model = await sdk.load("/cnn/", { ...options, store: argument, recycle: { runs: 1 } });
      await fetch("/down");
      globalThis.fetch = () => Promise.reject(new TypeError("offline"));
      for (let i = 0; i < 3; i++) await model.run(pixels());
      const { label } = await model.run(pixels());
      const { restarts } = model.stats();
      await model.dispose();
      return { label, restarts };`,
      );
      expect(found.label).toMatch(/^\d$/);
      expect(found.restarts).toBe(4);
    },
  );

  test("persistence and quota are the browser's word; every name of a store is listed and cleared", async () => {
    const found = await inPage<{
      persisted: boolean;
      quota: { used: number; allowed: number };
      listed: number[];
      left: number;
    }>(
      here.page,
      null,
      `${TRY}
      const listed = [];
      for (const store of ["cache-api", "opfs", "memory"]) {
        const model = await sdk.load("/cnn/", { ...options, store });
        await model.dispose();
        listed.push((await sdk.cache.list(store)).length);
      }
      const quota = await sdk.cache.quota();
      const persisted = await sdk.cache.persist();
      let left = 0;
      for (const store of ["cache-api", "opfs", "memory"]) {
        await sdk.cache.clear(store);
        left += (await sdk.cache.list(store)).length;
      }
      return { persisted, quota, listed, left };`,
    );
    expect(typeof found.persisted).toBe("boolean");
    expect(found.quota.used).toBeGreaterThan(14_000_000);
    expect(found.quota.allowed).toBeGreaterThan(found.quota.used);
    expect(found).toMatchObject({ listed: [1, 1, 1], left: 0 });
  });

  test("a sandboxed frame, which has neither storage nor locks nor an origin, runs from memory", async () => {
    here.site.server.headers.set("access-control-allow-origin", "*");
    await here.page.setContent(`<iframe sandbox="allow-scripts" src="${here.site.server.url}/"></iframe>`);
    await expect.poll(() => here.page.frames().length).toBe(2);
    const frame = here.page.frames()[1]!;
    await frame.waitForLoadState();
    const { label, events } = await inPage<{ label: string; events: Event[] }>(
      frame,
      null,
      `${TRY} options.worker = "main-thread"; return { label: await attempt(), events };`,
    );
    expect(label).toMatch(/^\d$/);
    expect(events.filter(({ kind }) => kind === "store-unavailable").length).toBeGreaterThan(0);
  });
});
