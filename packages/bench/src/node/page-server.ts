/** Serves the page, models, inputs and onnxruntime's files, with the headers that isolate a page so that it may use threads. */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { PageInputs } from "../page/main.ts";
import type { InputSet } from "../target.ts";

/** A running server on the loopback address. */
export interface PageServer {
  readonly url: string;
  /** Serves a file under an address of its own. */
  publish(path: string): string;
  close(): Promise<void>;
}

const ORT_FILES = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const PAGE =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>distillate bench</title><script type="module" src="/main.js"></script></html>';

/** Starts it. */
export async function servePage(inputs: InputSet): Promise<PageServer> {
  const script = await buildPage();
  const models = new Map<string, string>();
  const about: PageInputs = {
    samples: inputs.samples,
    tensors: inputs.tensors.map(({ data: _, ...tensor }) => tensor),
  };

  const find = async (path: string): Promise<readonly [string | Uint8Array, string] | undefined> => {
    if (path === "/") return [PAGE, ".html"];
    if (path === "/main.js") return [script, ".js"];
    if (path === "/inputs") return [JSON.stringify(about), ".json"];
    const [, directory, name] = path.split("/");
    if (directory === "ort") return [await readFile(join(ORT_FILES, basename(name!))), extname(name!)];
    if (directory === "models" && models.has(path)) return [await readFile(models.get(path)!), ".onnx"];
    const { data } = directory === "inputs" ? (inputs.tensors[Number(name)] ?? {}) : {};
    return data && [new Uint8Array(data.buffer, data.byteOffset, data.byteLength), ".bin"];
  };
  const server = createServer((request, response) => {
    find(new URL(request.url!, "http://localhost").pathname).then(
      (found) => (found ? send(response, ...found) : response.writeHead(404).end()),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    publish(path) {
      const address = `/models/${models.size}`;
      models.set(address, path);
      return address;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function send(response: ServerResponse, content: string | Uint8Array, extension: string): void {
  response
    .writeHead(200, {
      "content-type": TYPES[extension] ?? "application/octet-stream",
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    })
    .end(content);
}

/** The page's script in one file. onnxruntime is not in it: it is measured as its makers ship it. */
async function buildPage(): Promise<string> {
  const fromSource = import.meta.url.endsWith(".ts");
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(fromSource ? "../page/main.ts" : "../page/main.js", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: fromSource ? ["@distillate/source"] : [],
    external: ["onnxruntime-web/*", "/ort/*", "node:*", "fflate"],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}
