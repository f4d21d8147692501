/** What can go wrong while a model runs: the page stays free, an event says what happened, and the next call works. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

type Event = { readonly kind: string; readonly reason?: string; readonly message?: string };

/** `open(options)` loads `/NAME/` and collects events; `pulse()` measures the longest time in which the page did nothing. */
const HELPERS = `
  const events = [];
  const open = (name, options = {}) =>
    sdk.load("/" + name + "/", { backend: "wasm", variant: "fp32", onEvent: (event) => events.push(event), ...options });
  const restarts = () => events.filter(({ kind }) => kind === "engine-restarted").map(({ reason }) => reason);
  const pulse = () => {
    let last = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 4);
    return () => (clearInterval(timer), longest);
  };
  const heavy = { input: { data: new Float32Array(2048 * 3 * 32 * 32), dims: [2048, 3, 32, 32] } };`;

describe.skipIf(!findChromium())("engine (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite();
  });
  beforeEach(async () => {
    page = await site.freshPage();
  });
  afterEach(() => site.reset());
  afterAll(() => site.close());

  test.each(["module", "main-thread"])(
    "calls made at once are answered one by one, each with its own result (%s)",
    async (worker) => {
      const { together, apart } = await inPage<{ together: number[]; apart: number[] }>(
        page,
        worker,
        `${HELPERS}
      const model = await open("cnn", { worker: argument });
      const rows = [3, 7, 11, 13].map((step) => Float32Array.from({ length: 784 }, (_, i) => ((i * step * 31) % 251) / 251));
      const score = async (row) => (await model.run(row)).score;
      const together = await Promise.all(rows.map(score));
      const apart = [];
      for (const row of rows) apart.push(await score(row));
      await model.dispose();
      return { together, apart };`,
      );
      expect(together).toEqual(apart);
      expect(new Set(together).size).toBe(4);
    },
  );

  test("a call that fails leaves the next ones alone", async () => {
    const { failed, label } = await inPage<{ failed: { code: string }; label: string }>(
      page,
      null,
      `${HELPERS}
      const model = await open("cnn");
      const failed = failure(model.run(new Float32Array(3)));
      const after = model.run(pixels());
      return { failed: await failed, label: (await after).label };`,
    );
    expect(failed.code).toBe("shape-mismatch");
    expect(label).toMatch(/^\d$/);
  });

  test("aborting a long call answers within 100 ms, the page is never blocked, and the next call works", async () => {
    const found = await inPage<{
      failed: { name: string };
      late: number;
      blocked: number;
      label: string;
      why: string[];
    }>(
      page,
      null,
      `${HELPERS}
      const model = await open("resnet-8");
      const controller = new AbortController();
      const running = failure(model.runTensors(heavy, { signal: controller.signal }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const stop = pulse();
      const from = performance.now();
      controller.abort();
      const failed = await running;
      const late = performance.now() - from;
      const { label } = await model.run(pixels(32, 32));
      const blocked = stop();
      await model.dispose();
      return { failed, late, blocked, label, why: restarts() };`,
    );
    expect(found.failed?.name).toBe("AbortError");
    expect(found.late).toBeLessThan(100);
    expect(found.blocked).toBeLessThan(50);
    expect(found.label).toMatch(/^\d$/);
    expect(found.why).toEqual(["aborted"]);
  });

  test("a call over its time limit ends as one that was aborted", async () => {
    const found = await inPage<{ failed: { code: string }; label: string; why: string[] }>(
      page,
      null,
      `${HELPERS}
      const model = await open("resnet-8");
      const failed = await failure(model.runTensors(heavy, { timeout: 100 }));
      return { failed, label: (await model.run(pixels(32, 32))).label, why: restarts() };`,
    );
    expect(found).toMatchObject({ failed: { code: "timeout" }, why: ["timeout"] });
    expect(found.label).toMatch(/^\d$/);
  });

  test("aborting while WebAssembly is compiled answers within 100 ms, and the next load works", async () => {
    const found = await inPage<{ failed: { name: string }; late: number; label: string }>(
      page,
      null,
      `${HELPERS}
      const controller = new AbortController();
      let from;
      const onEvent = ({ kind, file }) => {
        if (kind !== "file" || !file.endsWith(".wasm")) return;
        setTimeout(() => { from = performance.now(); controller.abort(); }, 5);
      };
      const failed = await failure(open("cnn", { signal: controller.signal, onEvent }));
      const late = performance.now() - from;
      const model = await open("cnn");
      return { failed, late, label: (await model.run(pixels())).label };`,
    );
    expect(found.failed?.name).toBe("AbortError");
    expect(found.late).toBeLessThan(100);
    expect(found.label).toMatch(/^\d$/);
  });

  test("a worker that is killed under a call is noticed, and the call is made once more", async () => {
    const found = await inPage<{ label: string; why: string[]; kinds: string[] }>(
      page,
      null,
      `${HELPERS}
      const workers = [];
      const worker = () => {
        workers.push(new Worker("/sdk/wasm-worker.js", { type: "module" }));
        return workers.at(-1);
      };
      const model = await open("cnn", { worker, watchdog: 500 });
      workers[0].terminate();
      const { label } = await model.run(pixels());
      return { label, why: restarts(), kinds: events.map(({ kind }) => kind) };`,
    );
    expect(found.label).toMatch(/^\d$/);
    expect(found.why).toEqual(["hung"]);
    expect(found.kinds).toContain("run-retried");
  });

  test("memory that runs out fails that call, and the next one has a fresh engine", async () => {
    // Memory of at most 48 MiB, as on a phone that has no more to give.
    site.server.files.set(
      "/small-worker.js",
      `const Memory = WebAssembly.Memory;
       WebAssembly.Memory = class { constructor(wanted) { return new Memory({ ...wanted, maximum: 768 }); } };
       const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/wasm-worker.js");
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ failed: { code: string; message: string }; label: string; why: string[] }>(
      page,
      null,
      `${HELPERS}
      const worker = () => new Worker("/small-worker.js", { type: "module" });
      const model = await open("resnet-8", { worker });
      const failed = await failure(model.runTensors(heavy));
      return { failed, label: (await model.run(pixels(32, 32))).label, why: restarts() };`,
    );
    expect(found.failed?.code).toBe("engine-failed");
    expect(found.label).toMatch(/^\d$/);
    expect(found.why).toEqual(["failed", "failed"]);
  });

  test("latest-only answers the newest of many calls", async () => {
    const { answered, superseded } = await inPage<{ answered: number; superseded: number }>(
      page,
      null,
      `${HELPERS}
      const model = await open("cnn", { queue: { policy: "latest" } });
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => model.run(pixels())));
      return {
        answered: results.filter(({ status }) => status === "fulfilled").length,
        superseded: results.filter(({ reason }) => reason?.code === "superseded").length,
      };`,
    );
    expect(answered).toBeGreaterThanOrEqual(2);
    expect(answered + superseded).toBe(20);
  });

  test("an engine is recycled after as many runs as agreed", async () => {
    const why = await inPage<string[]>(
      page,
      null,
      `${HELPERS}
      const model = await open("cnn", { recycle: { runs: 3 } });
      for (let i = 0; i < 7; i++) await model.run(pixels());
      return restarts();`,
    );
    expect(why).toEqual(["recycled", "recycled"]);
  });
});

describe.skipIf(!findChromium())("graphics device (needs Chromium)", () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ webgpu: true });
  });
  afterAll(() => site.close());

  test("a device that is lost is replaced, and the next call works", async () => {
    site.server.files.set(
      "/lossy-worker.js",
      `const request = GPUAdapter.prototype.requestDevice;
       const devices = [];
       GPUAdapter.prototype.requestDevice = async function (...wishes) {
         devices.push(await request.apply(this, wishes));
         return devices.at(-1);
       };
       new BroadcastChannel("lose").onmessage = () => devices.forEach((device) => device.destroy());
       const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/webgpu-worker.js");
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ before: number; after: number; why: string[]; backend: string; events: Event[] }>(
      await site.freshPage(),
      null,
      `${HELPERS}
      const worker = () => new Worker("/lossy-worker.js", { type: "module" });
      const model = await open("cnn", { backend: "webgpu", worker, watchdog: 20000 });
      const before = (await model.run(pixels())).score;
      new BroadcastChannel("lose").postMessage("now");
      await new Promise((resolve) => setTimeout(resolve, 300));
      const after = (await model.run(pixels())).score;
      await model.dispose();
      return { before, after, why: restarts(), backend: model.backend };`,
    );
    expect(found.backend).toBe("webgpu");
    expect(found.after).toBeCloseTo(found.before, 4);
    expect(found.why).toHaveLength(1);
  });
});
