/**
 * Who uses the packages: apps made by Vite, webpack and esbuild, a page without a bundler, a server, Node. Each is built from the
 * packed tarballs and run; pages load a model in a real Chromium.
 */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { build as esbuild } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import webpack from "webpack";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { serve, type TestServer } from "../browser/server.ts";
import { type FixtureBundle, fixtureBundles, writeBundle } from "../fixtures/bundles.ts";
import { link, type Project, unpackedProject } from "../fixtures/packed.ts";

const TESTS = resolve(import.meta.dirname, "..");
const WASM = "ort-wasm-simd-threaded.wasm";
const DOCS = readFileOf("docs/runtime.md");
const { resolve: resolveFrom } = createRequire(import.meta.url);

/** What every page does; the page without a bundler has no worker file of its own. */
const app = (options = ""): string => `
  import { load } from "@distillate/runtime-edge";
  const model = await load("/models/digits/", { backend: "wasm", variant: "fp32"${options} });
  const { label } = await model.run({ width: 28, height: 28, data: new Uint8ClampedArray(28 * 28 * 4).fill(90) });
  globalThis.answer = { label, backend: model.backend, selfTest: (await model.selfTest()).ok };`;

let project: Project;
let bundle: FixtureBundle;

beforeAll(async () => {
  [project, [bundle]] = (await Promise.all([unpackedProject(["bundle", "runtime-edge"]), fixtureBundles()])) as [
    Project,
    [FixtureBundle],
  ];
  for (const name of ["react", "react-dom", "onnxruntime-node", "sharp"]) {
    const from = name.startsWith("react") ? TESTS : resolve(TESTS, "../packages/runtime-edge");
    await link(join(from, "node_modules", name), join(project.directory, "node_modules", name));
  }
}, 180_000);

function readFileOf(path: string): Promise<string> {
  return readFile(resolve(TESTS, "..", path), "utf8");
}

/** A directory for one consumer, with its files. */
async function consumer(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(project.directory, name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(directory, path, ".."), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

/** A block of docs/runtime.md, by the comment in its first line. */
async function block(name: string): Promise<string> {
  return new RegExp(`\`\`\`ts\\n// ${name.replace(".", "\\.")}\\n([\\s\\S]*?)\`\`\``).exec(await DOCS)![1]!;
}

describe.skipIf(!findChromium())("pages (need Chromium)", () => {
  let browser: Browser;
  let page: Page;
  let server: TestServer | undefined;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  /** Opens what was built, and waits for its answer. */
  async function run(mounts: Readonly<Record<string, string>>, html?: string): Promise<{ readonly workers: number }> {
    server = await serve(mounts);
    try {
      for (const [path, bytes] of bundle.files) server.files.set(`/models/digits/${path}`, bytes);
      server.files.set("/favicon.ico", "");
      if (html !== undefined) server.files.set("/", html);
      page = await browser.newPage();
      complaints.length = 0;
      page.on("pageerror", ({ message }) => complaints.push(message));
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      await page.goto(`${server.url}/`);
      await page.waitForFunction("globalThis.answer", null, { timeout: 20_000 }).catch((error: Error) => {
        throw new Error([error.message, ...complaints, ...server!.requests].join("\n"));
      });
      expect(await page.evaluate("globalThis.answer")).toEqual({
        label: expect.stringMatching(/^\d$/),
        backend: "wasm",
        selfTest: true,
      });
      const workers = page.workers().length;
      expect(complaints).toEqual([]);
      await page.close();
      return { workers };
    } finally {
      await server.close();
    }
  }

  test("Vite builds it without any setting", async () => {
    const root = await consumer("vite", {
      "index.html": '<!doctype html><title>app</title><script type="module" src="./main.js"></script>',
      "main.js": app(),
    });
    await vite({ root, configFile: false, logLevel: "silent", build: { target: "es2022" } });
    await expect(readFile(join(root, "dist/index.html"), "utf8")).resolves.toContain("assets/");
    const html = await readFile(join(root, "dist/index.html"), "utf8");
    expect(await run({ "/assets/": join(root, "dist/assets") }, html)).toEqual({ workers: 1 });
  });

  test("webpack builds it without any setting", async () => {
    const root = await consumer("webpack", { "main.js": app() });
    const stats = await new Promise<webpack.Stats>((done, failed) => {
      webpack(
        {
          mode: "production",
          context: root,
          entry: "./main.js",
          output: { path: join(root, "dist") },
          performance: false,
        },
        (error, result) => (error ? failed(error) : done(result!)),
      );
    });
    expect(stats.toJson({ all: false, errors: true }).errors!.map(({ message }) => message)).toEqual([]);
    const html = '<!doctype html><title>app</title><script defer src="/main.js"></script>';
    expect(await run({ "/": join(root, "dist") }, html)).toEqual({ workers: 1 });
  });

  test("esbuild builds it by the recipe of docs/runtime.md", async () => {
    const root = await consumer("esbuild", {
      "model-worker.ts": await block("model-worker.ts"),
      "app.ts": `${await block("app.ts")}
        const { label } = await model.run({ width: 28, height: 28, data: new Uint8ClampedArray(28 * 28 * 4).fill(90) });
        globalThis.answer = { label, backend: model.backend, selfTest: (await model.selfTest()).ok };`,
    });
    // An app has onnxruntime-web itself, for its worker.
    await link(join(TESTS, "node_modules/onnxruntime-web"), join(root, "node_modules/onnxruntime-web"));
    await esbuild({
      entryPoints: [join(root, "app.ts"), join(root, "model-worker.ts")],
      outdir: join(root, "assets"),
      bundle: true,
      format: "esm",
      target: "es2022",
      external: ["node:*", "module", "worker_threads"],
      logLevel: "silent",
    });
    await copyFile(resolveFrom(`onnxruntime-web/${WASM}`), join(root, "assets", WASM));
    const html = '<!doctype html><title>app</title><script type="module" src="/assets/app.js"></script>';
    expect(await run({ "/assets/": join(root, "assets") }, html)).toEqual({ workers: 1 });
  });

  test("a page without a bundler imports the files as they are, by an import map", async () => {
    const modules = join(project.directory, "node_modules/@distillate");
    const bundled = join(modules, "bundle/node_modules");
    const mounts = {
      "/bundle/": join(modules, "bundle/dist"),
      "/runtime-edge/": join(modules, "runtime-edge/dist"),
      "/valibot/": join(bundled, "valibot/dist"),
      "/noble/": join(bundled, "@noble/hashes"),
      "/onnxruntime-web/": join(resolveFrom(`onnxruntime-web/${WASM}`), ".."),
    };
    const { imports } = JSON.parse(/<script type="importmap">([\s\S]*?)<\/script>/.exec(await DOCS)![1]!) as {
      imports: Record<string, string>;
    };
    const html = `<!doctype html><title>app</title>
      <script type="importmap">${JSON.stringify({ imports })}</script>
      <script type="module">${app(', worker: "main-thread", assetsUrl: "/onnxruntime-web/"')}</script>`;
    expect(await run(mounts, html)).toEqual({ workers: 0 });
  });
});

test("a server imports every entry, as frameworks do that render there, and renders the hook", async () => {
  const root = await consumer("server", {
    "render.mjs": `
      const before = Object.keys(globalThis).join();
      for (const name of ["window", "document", "Worker"]) if (name in globalThis) throw new Error(name + " is there");
      await Promise.all(["", "/worker", "/react", "/node"].map((entry) => import("@distillate/runtime-edge" + entry)));
      if (Object.keys(globalThis).join() !== before) throw new Error("an import left something behind");
      const { createElement } = await import("react");
      const { renderToString } = await import("react-dom/server");
      const { useModel } = await import("@distillate/runtime-edge/react");
      const App = () => createElement("p", null, useModel("/models/digits/").ready ? "ready" : "not yet");
      console.log(renderToString(createElement(App)));`,
  });
  const out = execFileSync(process.execPath, [join(root, "render.mjs")], { cwd: root, encoding: "utf8" });
  expect(out.trim()).toBe("<p>not yet</p>");
});

test.each(["node", "wasm"])("Node loads a bundle from a directory and answers on %s", async (backend) => {
  const root = await consumer(`node-${backend}`, {
    "run.mjs": `
      import { load } from "@distillate/runtime-edge/node";
      const model = await load("./digits", { backend: "${backend}", variant: "fp32" });
      const { label } = await model.run({ width: 28, height: 28, data: new Uint8ClampedArray(28 * 28 * 4).fill(90) });
      console.log(JSON.stringify({ label, backend: model.backend, ok: (await model.selfTest()).ok }));
      await model.dispose();`,
  });
  await writeBundle(bundle, join(root, "digits"));
  const out = execFileSync(process.execPath, [join(root, "run.mjs")], { cwd: root, encoding: "utf8" });
  expect(JSON.parse(out)).toEqual({ label: expect.stringMatching(/^\d$/), backend, ok: true });
});

test.each(["bundle", "runtime-edge"])(
  "@distillate/%s: the types are those of what is imported (attw)",
  async (name) => {
    const bytes = await readFile(project.tarballs.get(name)!);
    const result = await checkPackage(createPackageFromTarballData(bytes));
    // For importers: CommonJS and the resolution of before Node 12 are not served.
    const served = (problem: object): boolean =>
      !("resolutionKind" in problem && ["node10", "node16-cjs"].includes(String(problem.resolutionKind)));
    expect(result.types && result.problems.filter(served)).toEqual([]);
  },
);

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("strict TypeScript takes every entry's types (%s, %s)", async (module, moduleResolution) => {
  const root = await consumer(`types-${module}`, {
    "use.ts": `
      import { type Classification, load, type Model } from "@distillate/runtime-edge";
      import { load as loadInNode } from "@distillate/runtime-edge/node";
      import { useModel } from "@distillate/runtime-edge/react";
      import { serveEngine } from "@distillate/runtime-edge/worker";
      import type { Manifest } from "@distillate/bundle";
      const model: Model = await load("/models/digits/");
      const { label, score }: Classification = await model.run(new Float32Array(784));
      const manifest: Manifest = (await loadInNode("./digits")).manifest;
      export const all = [label.length, score, manifest.labels, useModel, serveEngine];`,
  });
  await link(join(TESTS, "node_modules/@types/react"), join(root, "node_modules/@types/react"));
  const flags = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--types", "node"];
  const typeRoots = ["--typeRoots", resolve(TESTS, "../node_modules/@types")];
  const kinds = ["--module", module, "--moduleResolution", moduleResolution];
  const tsc = resolve(TESTS, "../node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, ...flags, ...typeRoots, ...kinds, join(root, "use.ts")], {
    cwd: root,
    encoding: "utf8",
  });
});
