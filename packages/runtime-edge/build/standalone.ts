/** The package for pages without a bundler: one directory of scripts, workers beside them, onnxruntime's JavaScript included. */
import { join } from "node:path";
import { build } from "esbuild";

const SOURCE = join(import.meta.dirname, "../src");

/** Writes `index.js`, the workers and their shared parts to a directory. */
async function buildStandalone(directory: string): Promise<void> {
  await build({
    entryPoints: {
      index: join(SOURCE, "index.ts"),
      "wasm-worker": join(SOURCE, "backends/wasm-worker.ts"),
      "capture-worklet": join(SOURCE, "stream/capture-worklet.ts"),
      "webgpu-worker": join(SOURCE, "backends/webgpu-worker.ts"),
    },
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "external",
    conditions: ["@distillate/source"],
    // onnxruntime-web asks for Node's modules only in Node.
    external: ["node:*", "module", "worker_threads"],
    logLevel: "silent",
  });
}

await buildStandalone(process.argv[2] ?? join(SOURCE, "../dist/standalone"));
