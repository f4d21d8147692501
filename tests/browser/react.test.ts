/** The hook in React itself: on a server, in strict mode, through a change of its source and to its end. */
import { join } from "node:path";
import { useModel } from "@distillate/runtime-edge/react";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { createElement, type ReactElement } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { openSite, type Site } from "./sdk-page.ts";

/** Shows what the hook says; a click runs the model. */
const APP = `
  import { createElement as element, StrictMode, useState } from "react";
  import { createRoot } from "react-dom/client";
  import { useModel } from "@distillate/runtime-edge/react";
  const worker = () => new Worker("/sdk/wasm-worker.js", { type: "module" });
  window.runs = new Set();
  function App({ source }) {
    const { ready, progress, error, model, run } = useModel(source, {
      backend: "wasm", variant: "fp32", worker, assetsUrl: "/sdk/onnxruntime-web/",
    });
    const [label, setLabel] = useState("");
    window.runs.add(run);
    window.run = run;
    const picture = () => ({ width: 28, height: 28, data: new Uint8ClampedArray(28 * 28 * 4).fill(99) });
    const click = async () => setLabel((await run(picture())).label);
    return element("main", { "data-ready": ready, "data-error": error?.code, "data-received": progress?.received ?? 0 },
      element("button", { onClick: click }, "run"),
      element("output", null, label), element("i", null, model?.manifest.id));
  }
  const root = createRoot(document.body);
  window.show = (source) => root.render(element(StrictMode, null, element(App, { source })));
  window.end = () => root.unmount();`;

test("on a server it renders what a page shows first, and loads nothing", () => {
  const App = (): ReactElement => {
    const { ready, model, error, progress } = useModel("/models/digits/");
    return createElement("p", null, JSON.stringify([ready, model ?? null, error ?? null, progress ?? null]));
  };
  expect(renderToString(createElement(App))).toBe("<p>[false,null,null,null]</p>");
});

describe.skipIf(!findChromium())("in a page (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite();
    const { outputFiles } = await build({
      stdin: { contents: APP, resolveDir: join(import.meta.dirname), loader: "js" },
      bundle: true,
      format: "esm",
      write: false,
      conditions: ["@distillate/source"],
      define: { "process.env.NODE_ENV": '"development"' },
      external: ["node:*", "module", "worker_threads", "onnxruntime-web", "onnxruntime-web/*"],
      logLevel: "silent",
    });
    site.server.files.set("/app.js", outputFiles[0]!.contents);
    site.server.files.set("/react/", '<!doctype html><body></body><script type="module" src="/app.js"></script>');
    page = await site.freshPage();
    await page.goto(`${site.server.url}/react/`);
  });
  afterAll(() => site.close());

  test("strict mode mounts twice and leaves one worker; a call made early waits; the source may change; unmounting ends it", async () => {
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.evaluate(`show("/cnn/")`);
    // Before it is ready.
    await page.locator("button").click();
    await page.locator("output", { hasText: /^\d$/ }).waitFor();
    await page.locator('main[data-ready="true"]').waitFor();
    expect(await page.locator("i").textContent()).toBe("cnn");
    expect(Number(await page.locator("main").getAttribute("data-received"))).toBeGreaterThan(14_000_000);
    expect(page.workers()).toHaveLength(1);

    await page.evaluate(`show("/ds-cnn/")`);
    await page.locator("i", { hasText: "ds-cnn" }).waitFor();
    expect(page.workers()).toHaveLength(1);
    expect(await page.evaluate("runs.size")).toBe(1);

    await page.evaluate(`show("/nowhere/")`);
    await page.locator('main[data-error="download-failed"]').waitFor();
    await page.evaluate(`show(undefined)`);
    await page.locator("main:not([data-error])").waitFor();
    expect(await page.evaluate(`run(0).then(() => "", ({ code }) => code)`)).toBe("not-loading");

    await page.evaluate(`show("/cnn/")`);
    await page.locator('main[data-ready="true"]').waitFor();
    await page.evaluate("end()");
    await expect.poll(() => page.workers().length).toBe(0);
    expect(errors).toEqual([]);
  });
});
