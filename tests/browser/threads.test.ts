/** Threads of WebAssembly, and what happens where they do not come up. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { HELPERS } from "./page-code.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

/** Isolated pages may use threads; this machine's cores are not what is tested. */
describe.skipIf(!findChromium())("threads (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite();
    site.server.headers.set("cross-origin-opener-policy", "same-origin");
    site.server.headers.set("cross-origin-embedder-policy", "require-corp");
    page = await site.freshPage();
    await page.addInitScript(`Object.defineProperty(navigator, "hardwareConcurrency", { value: 8 });`);
    await page.goto(site.server.url);
  });
  afterAll(() => site.close());

  test("two threads compute what one computes", async () => {
    site.server.files.set(
      "/counting-worker.js",
      `const { Worker } = self;
       const channel = new BroadcastChannel("threads");
       self.Worker = class extends Worker { constructor(...start) { super(...start); channel.postMessage("started"); } };
       const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/wasm-worker.js");
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ isolated: boolean; threads: number[]; scores: number[]; started: number }>(
      page,
      null,
      `${HELPERS}
      let started = 0;
      new BroadcastChannel("threads").onmessage = () => started++;
      const worker = () => new Worker("/counting-worker.js", { type: "module" });
      const threads = [];
      const scores = [];
      for (const wanted of [1, 2]) {
        const model = await open("resnet-8", { threads: wanted, worker });
        threads.push(model.plan.chosen.threads);
        scores.push((await model.run(pixels(32, 32))).score);
        await model.dispose();
      }
      return { isolated: crossOriginIsolated, threads, scores, started };`,
    );
    expect(found).toMatchObject({ isolated: true, threads: [1, 2], started: 1 });
    expect(found.scores[1]).toBeCloseTo(found.scores[0]!, 5);
  });

  test("threads from the package's own worker file start too", async () => {
    const threads = await inPage<number>(
      page,
      null,
      `${HELPERS} const model = await open("cnn", { threads: 2 });
      await model.run(pixels()); await model.dispose(); return model.plan.chosen.threads;`,
    );
    expect(threads).toBe(2);
  });

  test("threads that do not come up give way to one thread in a fresh worker", async () => {
    site.server.files.set(
      "/hanging-worker.js",
      `const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/wasm-worker.js");
       const { onmessage } = self;
       self.onmessage = (event) => { if (!(event.data.setup?.threads > 1)) onmessage(event); };
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ threads: number; refused: { threads: number; reason: string }[]; label: string }>(
      page,
      null,
      `${HELPERS}
      const worker = () => new Worker("/hanging-worker.js", { type: "module" });
      const model = await open("cnn", { threads: 2, worker, startTimeout: 3000 });
      const { label } = await model.run(pixels());
      await model.dispose();
      return { label, threads: model.plan.chosen.threads, refused: model.plan.refused };`,
    );
    expect(found.threads).toBe(1);
    expect(found.refused).toEqual([
      expect.objectContaining({ threads: 2, reason: expect.stringContaining("did not start within") }),
    ]);
    expect(found.label).toMatch(/^\d$/);
  });
});
