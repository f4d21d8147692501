/** What the runtime itself weighs on its way to a page: for a small model that is most of the download. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { BenchReport } from "../report/schema.ts";
import { WEB_RUNTIME_FILES } from "../web-runtime-files.ts";
import { sizeOf } from "./file-size.ts";

/** Where onnxruntime-web's files are. */
export const ORT_FILES = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));

/** Script and WebAssembly of each of these runtimes; those that no page fetches are left out. Takes seconds: they are large. */
export async function runtimeSizes(runtimes: ReadonlySet<string>): Promise<NonNullable<BenchReport["runtimes"]>> {
  const found = [];
  for (const [name, files] of Object.entries(WEB_RUNTIME_FILES)) {
    const runtime = `onnxruntime-web-${name}`;
    if (!runtimes.has(runtime)) continue;
    const sizes = await Promise.all(
      Object.values(files).map(async (file) => {
        const { bytes, gzipBytes, brotliBytes } = await sizeOf(join(ORT_FILES, file));
        return { name: file, bytes, gzipBytes, brotliBytes };
      }),
    );
    found.push({ runtime, files: sizes });
  }
  return found;
}
