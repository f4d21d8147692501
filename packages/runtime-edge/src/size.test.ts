/** What the package adds to an app, onnxruntime not counted: gzipped, on what a bundler makes of it. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const BUDGET = 25 * 1024;

const ONNXRUNTIME = ["onnxruntime-web", "onnxruntime-web/*"];
const LIBRARIES = ["valibot", "fflate", "@noble/hashes", "@noble/hashes/*", "react"];

/** Gzipped bytes of entries with all that they share; what is imported only in some cases counts with `lazy`. */
async function weigh(
  entries: readonly string[],
  { external = [], lazy = false }: { readonly external?: readonly string[]; readonly lazy?: boolean } = {},
): Promise<number> {
  const { metafile, outputFiles } = await build({
    entryPoints: entries.map((entry) => join(import.meta.dirname, entry)),
    outdir: "out",
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    write: false,
    metafile: true,
    conditions: ["@distillate/source"],
    external: [...ONNXRUNTIME, ...external],
    logLevel: "silent",
  });
  const needed = new Set<string>();
  const visit = (path: string): void => {
    if (needed.has(path)) return;
    needed.add(path);
    for (const { path: next, kind, external: apart } of metafile.outputs[path]!.imports) {
      if (!apart && (lazy || kind === "import-statement")) visit(next);
    }
  };
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint && entries.some((entry) => entryPoint.endsWith(`src/${entry}`))) visit(path);
  }
  return [...needed].reduce((sum, path) => {
    const { contents } = outputFiles.find((file) => file.path.endsWith(path))!;
    return sum + gzipSync(contents, { level: 9 }).length;
  }, 0);
}

test("all own code, for page and worker, whatever is used of it, stays within 25 KiB", async () => {
  const bytes = await weigh(["index.ts", "worker.ts"], { external: LIBRARIES, lazy: true });
  expect(bytes).toBeGreaterThan(10 * 1024);
  expect(bytes).toBeLessThanOrEqual(BUDGET);
});

test("what a page and its worker download to load and run a model, libraries included, does too", async () => {
  expect(await weigh(["load.ts", "worker.ts"])).toBeLessThanOrEqual(BUDGET);
});

test("the React entry adds a hook, not a second copy", async () => {
  const external = ["react"];
  const hook = (await weigh(["react.ts", "index.ts"], { external })) - (await weigh(["index.ts"]));
  expect(hook).toBeLessThan(2048);
});
