/** A site with the package as a page without a bundler uses it: standalone scripts, onnxruntime's files, bundles. */
import { execFileSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Browser, Frame, Page } from "playwright-core";
import { type FixtureBundle, fixtureBundles } from "../fixtures/bundles.ts";
import { type BrowserOptions, launchChromium } from "./chromium.ts";
import { serve, type TestServer } from "./server.ts";

const require = createRequire(import.meta.url);
const BUILD = join(import.meta.dirname, "../../packages/runtime-edge/build/standalone.ts");

/** A browser, a server, and bundles at `/cnn/`, `/ds-cnn/` and `/resnet-8/`. */
export interface Site {
  readonly server: TestServer;
  readonly browser: Browser;
  readonly bundles: readonly FixtureBundle[];
  bundle(name: string): FixtureBundle;
  /** A page in a profile of its own: nothing is stored there yet. */
  freshPage(): Promise<Page>;
  /** Everything that tests may have changed is as at the beginning. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Opens all of it. */
export async function openSite(options: BrowserOptions = {}): Promise<Site> {
  const [server, browser, bundles] = await Promise.all([serveSdk(), launchChromium(options), fixtureBundles()]);
  const publishAll = (): void => {
    for (const bundle of bundles) publish(server, bundle.name, bundle);
  };
  publishAll();
  return {
    server,
    browser,
    bundles,
    bundle: (name) => bundles.find((bundle) => bundle.name === name)!,
    async freshPage() {
      const page = await (await browser.newContext()).newPage();
      await page.goto(server.url);
      return page;
    },
    async reset() {
      server.fault = undefined;
      server.headers.clear();
      server.requests.length = 0;
      publishAll();
      await Promise.all(browser.contexts().map((context) => context.close()));
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Serves `/sdk/`, `/sdk/onnxruntime-web/`, and an empty page at `/`. */
export async function serveSdk(): Promise<TestServer> {
  const sdk = await mkdtemp(join(tmpdir(), "distillate-sdk-"));
  execFileSync(process.execPath, ["--import", "tsx", BUILD, sdk]);
  const server = await serve({
    "/sdk/onnxruntime-web/": dirname(require.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")),
    "/sdk/": sdk,
  });
  server.files.set("/", "<!doctype html><title>test</title><body></body>");
  return server;
}

/** Puts a bundle at `/NAME/`. */
export function publish(server: TestServer, name: string, bundle: FixtureBundle): void {
  for (const [path, bytes] of bundle.files) server.files.set(`/${name}/${path}`, bytes);
}

/**
 * Runs code in the page with the package as `sdk`; `argument` must be JSON. `failure(promise)` gives `{ code, message, name }`
 * of what a promise rejects with, or `undefined`.
 */
export function inPage<Result>(page: Page | Frame, argument: unknown, code: string): Promise<Result> {
  // As text: what a test runner makes of `import()` means nothing in a page.
  return page.evaluate(`(async () => {
    const sdk = await import("/sdk/index.js");
    const argument = ${JSON.stringify(argument ?? null)};
    const failure = (promise) => promise.then(() => undefined, ({ code, message, name }) => ({ code, message, name }));
    const pixels = (width = 28, height = 28) => ({
      width, height, data: Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => (i * 7919) % 251),
    });
    ${code}
  })()`) as Promise<Result>;
}
