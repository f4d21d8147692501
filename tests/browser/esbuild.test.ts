/** docs/runtime.md's recipe for esbuild, as it stands: a worker of one's own and onnxruntime's file beside it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { openSite, publish, type Site } from "./sdk-page.ts";

const DOCS = readFileSync(join(import.meta.dirname, "../../docs/runtime.md"), "utf8");
const WASM = "ort-wasm-simd-threaded.wasm";

/** A block of the page, by the comment in its first line. */
function block(name: string): string {
  return new RegExp(`\`\`\`ts\\n// ${name.replace(".", "\\.")}\\n([\\s\\S]*?)\`\`\``).exec(DOCS)![1]!;
}

describe.skipIf(!findChromium())("esbuild (needs Chromium)", () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
    publish(site.server, "models/digits", site.bundle("cnn"));
    const sources = {
      "model-worker": block("model-worker.ts"),
      app: `${block("app.ts")} globalThis.model = model;`,
      "other-worker": block("model-worker.ts").replace(
        "serveEngine(onnxruntime)",
        'serveEngine({ ...onnxruntime, env: { versions: { web: "1.14.0" } } })',
      ),
    };
    for (const [name, contents] of Object.entries(sources)) {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
        bundle: true,
        format: "esm",
        write: false,
        conditions: ["@distillate/source"],
        external: ["node:*", "module", "worker_threads"],
        logLevel: "silent",
      });
      site.server.files.set(`/assets/${name}.js`, outputFiles[0]!.contents);
    }
    const { resolve } = createRequire(import.meta.url);
    site.server.files.set(`/assets/${WASM}`, readFileSync(resolve(`onnxruntime-web/${WASM}`)));
    site.server.files.set("/app/", '<!doctype html><script type="module" src="/assets/app.js"></script>');
  });
  afterAll(() => site.close());

  test("the app loads its model in its own worker", async () => {
    const page = await site.freshPage();
    await page.goto(`${site.server.url}/app/`);
    await page.waitForFunction("globalThis.model");
    const found = await page.evaluate(
      `model.run({ width: 28, height: 28, data: new Uint8Array(28 * 28 * 4) }).then(({ label }) => [label, model.backend])`,
    );
    expect(found).toEqual([expect.stringMatching(/^\d$/), "wasm"]);
    expect(page.workers().map((worker) => worker.url())).toEqual([`${site.server.url}/assets/model-worker.js`]);
  });

  test("a worker with another version of onnxruntime is refused by name", async () => {
    const page = await site.freshPage();
    const message = await page.evaluate(`import("/sdk/index.js").then(({ load }) => load("/models/digits/", {
      backend: "wasm", worker: () => new Worker("/assets/other-worker.js", { type: "module" }),
    })).then(() => "loaded", ({ message }) => message)`);
    expect(message).toContain("the worker has onnxruntime-web 1.14.0, expected 1.30.0");
  });
});
