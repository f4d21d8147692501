/** A site with the package as a page without a bundler uses it: standalone scripts, onnxruntime's files, bundles. */
import { mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import { buildStandalone } from "../../packages/runtime-edge/build/standalone.ts";
import type { FixtureBundle } from "../fixtures/bundles.ts";
import { serve, type TestServer } from "./server.ts";

const require = createRequire(import.meta.url);

/** Serves `/sdk/`, `/sdk/onnxruntime-web/`, and an empty page at `/`. */
export async function serveSdk(): Promise<TestServer> {
  const sdk = await mkdtemp(join(tmpdir(), "distillate-sdk-"));
  await buildStandalone(sdk, { minify: false });
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

/** Runs code in the page with the package as `sdk`; `argument` must be JSON. */
export function inPage<Result>(page: Page, argument: unknown, code: string): Promise<Result> {
  // As text: what a test runner makes of `import()` means nothing in a page.
  return page.evaluate(`(async () => {
    const sdk = await import("/sdk/index.js");
    const argument = ${JSON.stringify(argument ?? null)};
    ${code}
  })()`) as Promise<Result>;
}
