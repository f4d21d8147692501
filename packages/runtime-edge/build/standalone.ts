/** The package for pages without a bundler: one directory of scripts, workers beside them, onnxruntime's JavaScript included. */
import { join } from "node:path";
import { build, type Metafile } from "esbuild";

const SOURCE = join(import.meta.dirname, "../src");

/** Writes `index.js`, the workers and their shared parts to a directory; returns what is in each file. */
export async function buildStandalone(directory: string, { minify = true } = {}): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: {
      index: join(SOURCE, "index.ts"),
      "wasm-worker": join(SOURCE, "backends/wasm-worker.ts"),
      "webgpu-worker": join(SOURCE, "backends/webgpu-worker.ts"),
    },
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify,
    legalComments: "external",
    metafile: true,
    conditions: ["@distillate/source"],
    // onnxruntime-web asks for Node's modules only in Node.
    external: ["node:*", "module", "worker_threads"],
    logLevel: "silent",
  });
  return metafile;
}

if (process.argv[1] === import.meta.filename)
  await buildStandalone(process.argv[2] ?? join(SOURCE, "../dist/standalone"));
