/** What can go wrong while a model runs: the page stays free, an event says what happened, and the next call works. */
import { describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { HELPERS } from "./page-code.ts";
import { inPage } from "./sdk-page.ts";
import { siteForTests } from "./site-for-tests.ts";

interface Plan {
  readonly chosen: object;
  readonly refused: readonly { readonly reason: string }[];
}

describe.skipIf(!findChromium())("engine (needs Chromium)", () => {
  const here = siteForTests();

  test.each(["module", "main-thread"])(
    "calls made at once are answered one by one, each with its own result (%s)",
    async (worker) => {
      const { together, apart } = await inPage<{ together: number[]; apart: number[] }>(
        here.page,
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
      here.page,
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

  test("aborting a long call answers at once, the page has its turns all the while, and the next call works", async () => {
    const found = await inPage<{
      failed: { name: string };
      late: number;
      had: { under: number; after: number };
      label: string;
      why: string[];
    }>(
      here.page,
      null,
      `${HELPERS}
      const model = await open("resnet-8");
      const controller = new AbortController();
      const running = failure(model.runTensors(heavy, { signal: controller.signal }));
      const under = ticks();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const had = { under: under() };
      controller.abort();
      const late = await turns(running);
      const after = ticks();
      const { label } = await model.run(pixels(32, 32));
      had.after = after();
      return { failed: await running, late, had, label, why: restarts() };`,
    );
    expect(found.failed?.name).toBe("AbortError");
    expect(found.late).toBe(0);
    expect(found.had.under).toBeGreaterThan(1);
    expect(found.had.after).toBeGreaterThan(1);
    expect(found.label).toMatch(/^\d$/);
    expect(found.why).toEqual(["aborted"]);
  });

  test("a call over its time limit ends as one that was aborted", async () => {
    const found = await inPage<{ failed: { code: string }; label: string; why: string[] }>(
      here.page,
      null,
      `${HELPERS}
      const model = await open("resnet-8");
      const failed = await failure(model.runTensors(heavy, { timeout: 100 }));
      return { failed, label: (await model.run(pixels(32, 32))).label, why: restarts() };`,
    );
    expect(found).toMatchObject({ failed: { code: "timeout" }, why: ["timeout"] });
    expect(found.label).toMatch(/^\d$/);
  });

  test("aborting while WebAssembly is compiled answers at once, and the next load works", async () => {
    const found = await inPage<{ failed: { name: string }; late: number; label: string }>(
      here.page,
      null,
      `${HELPERS}
      const controller = new AbortController();
      let aborted;
      const onAborting = new Promise((resolve) => { aborted = resolve; });
      const onEvent = ({ kind, file }) => {
        if (kind !== "file" || !file.endsWith(".wasm")) return;
        setTimeout(() => { controller.abort(); aborted(); }, 5);
      };
      const loading = failure(open("cnn", { signal: controller.signal, onEvent }));
      await onAborting;
      const late = await turns(loading);
      const model = await open("cnn");
      return { failed: await loading, late, label: (await model.run(pixels())).label };`,
    );
    expect(found.failed?.name).toBe("AbortError");
    expect(found.late).toBeLessThan(5);
    expect(found.label).toMatch(/^\d$/);
  });

  test("a worker that is killed under a call is noticed, and the call is made once more", async () => {
    const found = await inPage<{ label: string; why: string[]; kinds: string[] }>(
      here.page,
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
    here.site.server.files.set(
      "/small-worker.js",
      `const Memory = WebAssembly.Memory;
       WebAssembly.Memory = class { constructor(wanted) { return new Memory({ ...wanted, maximum: 768 }); } };
       const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/wasm-worker.js");
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ failed: { code: string; message: string }; label: string; why: string[] }>(
      here.page,
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
      here.page,
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

  test("calls are answered in the order in which they were made, pictures and tensors alike, and the depth counts all of them", async () => {
    const found = await inPage<{ order: string[]; codes: string[]; early: string }>(
      here.page,
      null,
      `${HELPERS}
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 2000;
      const model = await open("cnn", { queue: { depth: 4 } });
      const order = [];
      const made = [["canvas", canvas], ["row", new Float32Array(784)], ["canvas", canvas], ["pixels", pixels()]];
      await Promise.all(made.map(([name, input]) => model.run(input).then(() => order.push(name))));
      const many = Array.from({ length: 20 }, () => failure(model.run(canvas)));
      const codes = (await Promise.all(many)).map((failed) => failed?.code ?? "answered");
      const waiting = [1, 2, 3].map(() => model.runTensors({ input: { data: new Float32Array(784 * 512), dims: [512, 1, 28, 28] } }));
      // What is no input need not wait for its turn.
      const { code } = await failure(model.run(new Float32Array(3)));
      const early = code + " with " + model.stats().waiting + " waiting";
      await Promise.all(waiting);
      return { order, codes, early };`,
    );
    expect(found.order).toEqual(["canvas", "row", "canvas", "pixels"]);
    expect(found.codes.filter((code) => code === "answered")).toHaveLength(5);
    expect(found.codes.filter((code) => code === "queue-full")).toHaveLength(15);
    expect(found.early).toBe("shape-mismatch with 2 waiting");
  });

  test("an engine that starts and then hangs fails its self-test, and the load ends", async () => {
    here.site.server.files.set(
      "/mute-worker.js",
      `const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/wasm-worker.js");
       const { onmessage } = self;
       self.onmessage = (event) => { if (event.data.kind === "open") onmessage(event); };
       for (const event of early) self.onmessage(event);`,
    );
    const failed = await inPage<{ code: string; message: string }>(
      here.page,
      null,
      `${HELPERS} return failure(open("cnn", { worker: () => new Worker("/mute-worker.js", { type: "module" }), startTimeout: 4000 }));`,
    );
    expect(failed).toMatchObject({ code: "no-backend", message: expect.stringContaining("no result within 4000 ms") });
  });

  test("an engine is recycled after as many runs as agreed", async () => {
    const why = await inPage<string[]>(
      here.page,
      null,
      `${HELPERS}
      const model = await open("cnn", { recycle: { runs: 3 } });
      for (let i = 0; i < 7; i++) await model.run(pixels());
      return restarts();`,
    );
    expect(why).toEqual(["recycled", "recycled"]);
  });

  test("disposing while a call runs ends it as disposed, and starts nothing", async () => {
    const found = await inPage<{ failed: { code: string }; why: string[]; workers: number }>(
      here.page,
      null,
      `${HELPERS}
      let workers = 0;
      const worker = () => (workers++, new Worker("/sdk/wasm-worker.js", { type: "module" }));
      const model = await open("resnet-8", { worker });
      const running = failure(model.runTensors(heavy));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await model.dispose();
      return { failed: await running, why: restarts(), workers };`,
    );
    expect(found).toMatchObject({ failed: { code: "disposed" }, why: [], workers: 1 });
  });

  test("an abort while the engine is being replaced gives that call up, and only that", async () => {
    const found = await inPage<{ given: string[]; labels: string[]; pending: number }>(
      here.page,
      null,
      `${HELPERS}
      const model = await open("resnet-8");
      const given = [];
      const labels = [];
      for (let i = 0; i < 4; i++) {
        const [first, second] = [new AbortController(), new AbortController()];
        const long = failure(model.runTensors(heavy, { signal: first.signal }));
        await new Promise((resolve) => setTimeout(resolve, 60));
        const next = failure(model.run(pixels(32, 32), { signal: second.signal }));
        const last = model.run(pixels(32, 32));
        first.abort();
        await new Promise((resolve) => setTimeout(resolve, i * 15));
        second.abort();
        given.push((await long).name);
        await next;
        labels.push((await last).label);
      }
      await model.dispose();
      return { given, labels, pending: model.stats().waiting };`,
    );
    expect(found.given).toEqual(["AbortError", "AbortError", "AbortError", "AbortError"]);
    expect(new Set(found.labels).size).toBe(1);
    expect(found.pending).toBe(0);
  });

  test("two loads at once fetch each file once, and one that is aborted leaves the other alone", async () => {
    const wanted = ["/sdk/onnxruntime-web/ort-wasm-simd-threaded.wasm", "/cnn/student.fp32.onnx"];
    const found = await inPage<{ labels: string[]; failed: { name: string } }>(
      here.page,
      null,
      `${HELPERS}
      const controller = new AbortController();
      const doomed = failure(open("cnn", { signal: controller.signal }));
      const loads = [open("cnn"), open("cnn")];
      setTimeout(() => controller.abort(), 30);
      const models = await Promise.all(loads);
      const labels = [];
      for (const model of models) labels.push((await model.run(pixels())).label);
      await Promise.all(models.map((model) => model.dispose()));
      return { labels, failed: await doomed };`,
    );
    expect(found.labels[0]).toBe(found.labels[1]);
    expect(found.failed?.name).toBe("AbortError");
    for (const path of wanted) expect(here.site.server.requests.filter((each) => each === path)).toHaveLength(1);
  });

  test("where the first choice starts no more, the next one that passes serves on", async () => {
    here.site.server.files.set("/broken-worker.js", "throw new Error('broken');");
    const found = await inPage<{ before: string; after: string; label: string; refused: string[]; kinds: string[] }>(
      here.page,
      null,
      `${HELPERS}
      let broken = 0;
      const workers = [];
      const worker = () => {
        workers.push(new Worker(broken-- > 0 ? "/broken-worker.js" : "/sdk/wasm-worker.js", { type: "module" }));
        return workers.at(-1);
      };
      const model = await open("cnn", { variant: "auto", worker, watchdog: 300 });
      const before = model.variant.id;
      broken = 1;
      workers[0].terminate();
      const { label } = await model.run(pixels());
      const after = model.variant.id;
      const refused = model.plan.refused.map(({ variant, reason }) => variant + ": " + reason);
      await model.dispose();
      return { before, after, label, refused, kinds: events.map(({ kind }) => kind) };`,
    );
    expect(found).toMatchObject({ before: "int8", after: "fp32" });
    expect(found.label).toMatch(/^\d$/);
    expect(found.refused.some((each) => each.startsWith("int8: the model's worker stopped"))).toBe(true);
    expect(found.kinds).toContain("attempt-failed");
  });

  test("an inline worker runs scripts of another origin, from which no worker may be started", async () => {
    here.site.server.headers.set("access-control-allow-origin", "*");
    const found = await inPage<{ failed: { code: string }; label: string }>(
      here.page,
      null,
      `
      const far = await import("http://localhost:" + location.port + "/sdk/index.js");
      const options = { backend: "wasm", variant: "fp32" };
      const failed = await failure(far.load("/cnn/", options));
      const model = await far.load("/cnn/", { ...options, worker: "inline" });
      const { label } = await model.run(pixels());
      await model.dispose();
      return { failed, label, same: Worker.name };`,
    );
    expect(found.failed?.code).toBe("no-backend");
    expect(found.label).toMatch(/^\d$/);
  });

  test("the fastest is measured once a device and model version, and remembered", async () => {
    const found = await inPage<{ first: Plan; second: Plan; ready: number[] }>(
      here.page,
      null,
      `${HELPERS}
      const ready = [];
      const plans = [];
      for (let i = 0; i < 2; i++) {
        events.length = 0;
        const model = await open("cnn", { variant: "auto", calibrate: true });
        plans.push({ chosen: model.plan.chosen, refused: model.plan.refused, median: model.plan.selfTest.median });
        ready.push(events.filter(({ kind }) => kind === "ready").length);
        await model.dispose();
      }
      return { first: plans[0], second: plans[1], ready };`,
    );
    expect(found.ready).toEqual([2, 1]);
    expect(found.first.refused).toEqual([expect.objectContaining({ reason: expect.stringMatching(/^slower: /) })]);
    expect(found.second.chosen).toEqual(found.first.chosen);
  });
});
