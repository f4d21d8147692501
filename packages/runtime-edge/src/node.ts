/** `@distillate/runtime-edge/node`: the same models in Node, native where onnxruntime-node is installed, WebAssembly elsewhere. */
import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DistillateError, type Pixels } from "@distillate/bundle";
import { node } from "./backends/node.ts";
import { wasm } from "./backends/wasm.ts";
import type { Capabilities } from "./capabilities.ts";
import type { EngineImage } from "./engine/engine.ts";
import type { Files } from "./files.ts";
import { type LoadOptions, loadOn, type Platform } from "./load.ts";
import type { Model } from "./model.ts";
import { openArchive } from "./source/archive.ts";
import { entriesSource } from "./source/entries.ts";
import { openSource, type SourceInput } from "./source/open-source.ts";
import { type BundleSource, MANIFEST, SIGNATURE } from "./source/source.ts";
import { memoryStore } from "./store/memory.ts";

export type * from "./index.ts";

/** In Node, onnxruntime-web finds its own file beside itself. */
const { runtime: _file, runtimeUrl: _url, startWorker: _worker, ...WASM_IN_NODE } = wasm;

const NODE: Platform = {
  backends: { node, wasm: WASM_IN_NODE },
  decode: decodeWithSharp,
  capabilities: nodeCapabilities,
  openStore: async () => memoryStore(),
  openSource: openNodeSource,
};

/**
 * Loads a model in Node.
 *
 * @param source a bundle directory, its manifest.json, a `.zip`, an http address, or bytes.
 */
export function load(source: SourceInput, options: LoadOptions = {}): Promise<Model> {
  return loadOn(NODE, source, { worker: "main-thread", ...options });
}

/** What Node has. */
async function nodeCapabilities(): Promise<Capabilities> {
  const cores = availableParallelism();
  return {
    webAssembly: true,
    workers: false,
    cores,
    threads: { usable: cores, reason: `${cores} cores` },
    webgpu: { available: false, reason: "Node has no WebGPU" },
    webkit: false,
    secureContext: true,
  };
}

async function openNodeSource(input: SourceInput, files: Files): Promise<BundleSource> {
  const text = input instanceof URL ? input.href : input;
  if (typeof text !== "string" || /^https?:/.test(text)) return openSource(input, files);
  const path = text.startsWith("file:") ? fileURLToPath(text) : text;
  if (path.endsWith(".zip")) return entriesSource(path, openArchive(path, await readFile(path)));
  const found = await stat(path).catch((cause: unknown) => {
    throw new DistillateError({
      code: "file-missing",
      message: `there is no ${path}`,
      hint: "Pass a bundle directory, its manifest.json or a .zip.",
      cause,
    });
  });
  const directory = found.isDirectory() ? path : dirname(path);
  return {
    name: path,
    manifest: () => readFile(join(directory, MANIFEST), "utf8"),
    signature: () => readFile(join(directory, SIGNATURE), "utf8").catch(() => undefined),
    origin: (ref) => ({ read: async () => new Uint8Array(await readFile(join(directory, ref.path))) }),
  };
}

/** Encoded images need sharp, which is asked for only then. */
async function decodeWithSharp(image: EngineImage): Promise<Pixels> {
  if (image.kind === "pixels") return image.pixels;
  if (image.kind === "bitmap") throw unsupported("an ImageBitmap");
  const bytes = image.bytes instanceof Uint8Array ? image.bytes : new Uint8Array(await image.bytes.arrayBuffer());
  const { default: sharp } = await import("sharp").catch((cause: unknown) => {
    throw new DistillateError({
      code: "decoder-missing",
      message: "encoded images need the package sharp, which is not installed",
      hint: "Install sharp, or pass { data, width, height }.",
      cause,
    });
  });
  const { data, info } = await sharp(bytes, { limitInputPixels: 100_000_000, failOn: "error", pages: 1 })
    .autoOrient()
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw unsupported(`${bytes.byteLength} bytes that sharp cannot decode`, cause);
    });
  return { width: info.width, height: info.height, channels: info.channels === 1 ? 1 : 3, data: new Uint8Array(data) };
}

function unsupported(found: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "input-unsupported",
    message: `the input is ${found}`,
    hint: "Pass the bytes of a JPEG, PNG or WebP, or { data, width, height }.",
    cause,
  });
}
