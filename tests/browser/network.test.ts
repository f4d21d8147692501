/** What servers and connections do to a load: each fault is named, and the next load works. */
import { gzipSync, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { TRY } from "./page-code.ts";
import { inPage } from "./sdk-page.ts";
import { siteForTests } from "./site-for-tests.ts";

const WASM = "/sdk/onnxruntime-web/ort-wasm-simd-threaded.wasm";
const MODEL = "/cnn/student.fp32.onnx";

interface Failure {
  readonly code?: string;
  readonly message: string;
  readonly name: string;
}
type Event = { readonly kind: string; readonly file?: string; readonly from?: string };

describe.skipIf(!findChromium())("network (needs Chromium)", () => {
  const here = siteForTests();

  test.each([WASM, MODEL])("503, then 200 for %s: the load goes on", async (path) => {
    let left = 2;
    here.site.server.fault = (request, response) => {
      if (request.url !== path || left-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    };
    const { label, events } = await inPage<{ label: string; events: Event[] }>(
      here.page,
      null,
      `${TRY} return { label: await attempt(), events };`,
    );
    expect(label).toMatch(/^\d$/);
    expect(events.filter(({ kind }) => kind === "download-retry")).toHaveLength(2);
  });

  test("503 to the end: one clear error, and the next load in the same page works", async () => {
    let down = true;
    here.site.server.fault = (request, response) => {
      if (request.url === "/up") down = false;
      if (request.url !== WASM || !down) return false;
      response.writeHead(503).end();
      return true;
    };
    const { failed, label } = await inPage<{ failed: Failure; label: string }>(
      here.page,
      null,
      `${TRY} const failed = await failure(attempt()); await fetch("/up"); return { failed, label: await attempt() };`,
    );
    expect(failed).toMatchObject({ code: "download-failed", name: "DistillateError" });
    expect(failed.message).toContain("503");
    expect(label).toMatch(/^\d$/);
  });

  test.each([WASM, MODEL, "/cnn/manifest.json"])("HTML in place of %s is named, with its address", async (path) => {
    let html = true;
    here.site.server.fault = (request, response) => {
      if (request.url === "/up") html = false;
      if (request.url !== path || !html) return false;
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>my app</title>");
      return true;
    };
    const { failed, label } = await inPage<{ failed: Failure; label: string }>(
      here.page,
      null,
      `${TRY} const failed = await failure(attempt()); await fetch("/up"); return { failed, label: await attempt() };`,
    );
    expect(failed.code).toBe("got-html");
    expect(failed.message).toContain(`got HTML from ${here.site.server.url}${path}`);
    expect(label).toMatch(/^\d$/);
  });

  test.each([
    ["truncated", (bytes: Uint8Array) => bytes.slice(0, bytes.length - 100), "file-corrupted"],
    ["altered", (bytes: Uint8Array) => bytes.map((byte, i) => (i === 2000 ? byte ^ 1 : byte)), "file-corrupted"],
    ["longer", (bytes: Uint8Array) => new Uint8Array([...bytes, 0]), "file-corrupted"],
  ])("a file that is %s is never run, nor kept", async (_name, change, code) => {
    here.site.server.files.set(MODEL, change(here.site.bundle("cnn").files.get("student.fp32.onnx")!));
    const failed = await inPage<Failure>(here.page, null, `${TRY} return failure(attempt());`);
    expect(failed.code).toBe(code);
    here.site.server.files.set(MODEL, here.site.bundle("cnn").files.get("student.fp32.onnx")!);
    expect(await inPage(here.page, null, `${TRY} return attempt();`)).toMatch(/^\d$/);
  });

  test("files swapped among variants are never run", async () => {
    here.site.server.files.set(MODEL, here.site.bundle("cnn").files.get("student.int8.onnx")!);
    expect((await inPage<Failure>(here.page, null, `${TRY} return failure(attempt());`)).code).toMatch(
      /^(download-failed|file-corrupted)$/,
    );
  });

  test("an archive that names files outside of itself is refused; a sound one runs", async () => {
    const files = Object.fromEntries(here.site.bundle("cnn").files);
    const archives = { good: zipSync(files), evil: zipSync({ ...files, "../../evil.js": new Uint8Array(3) }) };
    for (const [name, bytes] of Object.entries(archives)) here.site.server.files.set(`/${name}.zip`, bytes);
    const { fromUrl, fromBytes, label } = await inPage<{ fromUrl: Failure; fromBytes: Failure; label: string }>(
      here.page,
      null,
      `
      const bytes = new Uint8Array(await (await fetch("/evil.zip")).arrayBuffer());
      const model = await sdk.load("/good.zip", { backend: "wasm" });
      const { label } = await model.run(pixels());
      await model.dispose();
      return { fromUrl: await failure(sdk.load("/evil.zip")), fromBytes: await failure(sdk.load(bytes)), label };`,
    );
    expect(fromUrl).toMatchObject({ code: "archive-invalid" });
    expect(fromBytes.message).toContain("../../evil.js");
    expect(label).toMatch(/^\d$/);
  });

  test("an aborted download rejects at once, keeps what arrived, and goes on from there", async () => {
    const wasmBytes = new Uint8Array(await (await fetch(here.site.server.url + WASM)).arrayBuffer());
    const ranges: string[] = [];
    let stall = true;
    here.site.server.fault = (request, response) => {
      if (request.url === "/up") stall = false;
      if (request.url === WASM && request.headers.range) ranges.push(request.headers.range);
      if (request.url !== WASM || !stall) return false;
      response.writeHead(200, { "content-type": "application/wasm", "content-length": 14_239_897 });
      response.write(wasmBytes.subarray(0, 1_000_000));
      return true;
    };
    const { failed, label } = await inPage<{ failed: Failure; label: string }>(
      here.page,
      null,
      `${TRY}
      const controller = new AbortController();
      let aborted;
      options.signal = controller.signal;
      options.onProgress = ({ file, fileReceived }) => {
        if (!file.endsWith(".wasm") || fileReceived < 1_000_000 || aborted) return;
        aborted = true;
        controller.abort();
      };
      const failed = await failure(attempt());
      await fetch("/up");
      delete options.signal;
      delete options.onProgress;
      return { failed, label: await attempt() };`,
    );
    expect(failed.name).toBe("AbortError");
    expect(ranges).toEqual(["bytes=1000000-"]);
    expect(label).toMatch(/^\d$/);
  });

  test("after the first load the model serves without a network, also in another tab", async () => {
    await inPage(here.page, null, `${TRY} return attempt();`);
    here.site.server.fault = (request, response) => {
      if (request.url?.endsWith(".js") || request.url === "/") return false;
      response.destroy();
      return true;
    };
    const other = await here.page.context().newPage();
    await other.goto(here.site.server.url);
    const { label, events } = await inPage<{ label: string; events: Event[] }>(
      other,
      null,
      `${TRY} return { label: await attempt(), events };`,
    );
    expect(label).toMatch(/^\d$/);
    expect(events.filter(({ kind }) => kind === "file").every(({ from }) => from === "store")).toBe(true);
    expect(
      await inPage<Event[]>(
        other,
        null,
        `${TRY} options.update = "always"; await attempt(); return events.filter(({ kind }) => kind === "offline");`,
      ),
    ).toHaveLength(1);
  });

  test("a page with a strict content security policy runs the model", async () => {
    here.site.server.headers.set(
      "content-security-policy",
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'",
    );
    await here.page.goto(`${here.site.server.url}/`);
    const found = await inPage<{ label: string; events: Event[] }>(
      here.page,
      null,
      `${TRY} return { label: await attempt(), events };`,
    );
    expect(found.label).toMatch(/^\d$/);
    expect(found.events.filter(({ kind }) => kind === "attempt-failed")).toEqual([]);
  });

  test.each(["127.0.0.1", "localhost"])(
    "compressed on the way, from %s: sizes and hashes are those of the file",
    async (host) => {
      here.site.server.headers.set("access-control-allow-origin", "*");
      const onnx = here.site.bundle("cnn").files.get("student.fp32.onnx")!;
      here.site.server.fault = (request, response) => {
        if (request.url !== MODEL) return false;
        const bytes = gzipSync(onnx);
        response.writeHead(200, { "content-encoding": "gzip", "content-length": bytes.length }).end(bytes);
        return true;
      };
      const { label, received } = await inPage<{ label: string; received: number }>(
        here.page,
        here.site.server.url.replace("127.0.0.1", host),
        `let received;
      const onProgress = ({ file, fileReceived }) => { if (file.endsWith(".onnx")) received = fileReceived; };
      const model = await sdk.load(argument + "/cnn/", { backend: "wasm", variant: "fp32", onProgress });
      const { label } = await model.run(pixels());
      await model.dispose();
      return { label, received };`,
      );
      expect(label).toMatch(/^\d$/);
      expect(received).toBe(onnx.byteLength);
    },
  );

  test("nothing is asked for but the model, its files and onnxruntime's file, over a whole life; nothing at all from the cache", async () => {
    const asked: string[] = [];
    here.page.context().on("request", (request) => asked.push(request.url().slice(here.site.server.url.length)));
    const life = `
      const reports = [];
      const model = await sdk.load("/cnn/", { backend: "wasm", variant: "fp32", telemetry: (report) => reports.push(report) });
      await model.warmup();
      await model.run(pixels());
      await model.selfTest();
      await model.capabilities();
      model.stats();
      await sdk.cache.list();
      await sdk.cache.quota();
      await model.dispose();
      return reports;`;
    const [report, ...others] = await inPage<{ id: string; stats: { runs: number }; events: Record<string, number> }[]>(
      here.page,
      null,
      life,
    );
    expect(others).toEqual([]);
    expect(report).toMatchObject({ id: "cnn", semver: "1.0.0", backend: "wasm", variant: "fp32", threads: 1 });
    expect(report!.events).toMatchObject({ ready: 1, file: 3 });
    expect(report!.stats.runs).toBeGreaterThan(4);
    const data = (): readonly string[] => asked.filter((path) => !path.endsWith(".js")).sort();
    expect(data()).toEqual([MODEL, "/cnn/manifest.json", "/cnn/probe.bin", WASM].sort());
    asked.length = 0;
    await inPage(here.page, null, life);
    expect(data()).toEqual([]);
  });

  test("telemetry is told when the page is hidden, and no more once the model is disposed", async () => {
    const reports = await inPage<number[]>(
      here.page,
      null,
      `const reports = [];
      const model = await sdk.load("/cnn/", { backend: "wasm", variant: "fp32", telemetry: ({ stats }) => reports.push(stats.runs) });
      const hide = () => {
        Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      };
      const before = model.stats().runs;
      await model.run(pixels());
      hide();
      await model.run(pixels());
      await model.dispose();
      hide();
      return reports.map((runs) => runs - before);`,
    );
    expect(reports).toEqual([1, 2]);
  });

  test("a download that broke off in a page that died goes on in the next", async () => {
    const wasmBytes = new Uint8Array(await (await fetch(here.site.server.url + WASM)).arrayBuffer());
    const ranges: string[] = [];
    let breaks = true;
    here.site.server.fault = (request, response) => {
      if (request.url !== WASM) return false;
      ranges.push(request.headers.range ?? "whole");
      if (!breaks) return false;
      response.writeHead(200, { "content-type": "application/wasm", "content-length": wasmBytes.length });
      response.write(wasmBytes.subarray(0, 2_000_000));
      setTimeout(() => response.destroy(), 50);
      return true;
    };
    // Four attempts, each from where the last one broke off; then what arrived is kept.
    expect(await inPage<Failure>(here.page, null, `${TRY} return failure(attempt());`)).toMatchObject({
      code: "download-failed",
    });
    breaks = false;
    const next = await here.page.context().newPage();
    await next.goto(here.site.server.url);
    ranges.length = 0;
    expect(await inPage(next, null, `${TRY} return attempt();`)).toMatch(/^\d$/);
    expect(ranges).toEqual([expect.stringMatching(/^bytes=\d{6,}-$/)]);
  });
});
