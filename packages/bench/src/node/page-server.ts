/** Serves a page, models, inputs and onnxruntime's files, with the headers that isolate a page so that it may use threads. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DistillateError } from "@distillate/bundle";
import { build } from "esbuild";
import type { PageInputs } from "../page/page-host.ts";
import type { InputSet } from "../target.ts";
import type { DeviceLine } from "./device-line.ts";
import { ORT_FILES } from "./runtime-size.ts";

/** A running server on the loopback address. */
export interface PageServer {
  readonly port: number;
  /** Serves a file under an address of its own. */
  publish(path: string): string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>distillate bench</title>';
/** What a driver opens, and what a person opens on a device. */
const PAGES = {
  main: `${HEAD}<script type="module" src="/main.js"></script></html>`,
  device: `${HEAD}<meta name="viewport" content="width=device-width,initial-scale=1"><style>
:root{color-scheme:light dark}body{font:18px/1.5 system-ui,sans-serif;margin:0 auto;max-width:30rem;padding:12vh 1.5rem}
h1{font-size:1.1rem;font-weight:600;color:#888}#status{font-size:2rem;font-weight:600;margin:.5rem 0}progress{width:100%;height:.6rem}
#detail{color:#888;min-height:3em;overflow-wrap:anywhere}</style>
<h1>distillate bench</h1><p id="status" role="status">Joining</p><progress id="bar" max="100" value="0" aria-label="work"></progress><p id="detail"></p>
<script type="module" src="/device.js"></script></html>`,
} as const;

/** Where a page is served, and to whom. */
export interface PageServerOptions {
  readonly host?: string;
  readonly port?: number;
  /** For a page on a device: everything but the page itself is for that device alone. */
  readonly line?: DeviceLine;
}

/**
 * Starts it.
 *
 * @throws DistillateError `port-in-use` or `host-invalid`.
 */
export async function servePage(inputs: InputSet, options: PageServerOptions = {}): Promise<PageServer> {
  const { host = "127.0.0.1", port = 0, line } = options;
  const kind = line === undefined ? "main" : "device";
  const script = await buildPage(kind);
  const models = new Map<string, string>();
  const about: PageInputs = {
    samples: inputs.samples,
    tensors: inputs.tensors.map(({ data: _, ...tensor }) => tensor),
  };

  // A fresh profile has nothing in its cache; a page that is opened again finds runtime and models there.
  const find = async (path: string): Promise<readonly [string | Uint8Array, string] | undefined> => {
    if (path === "/") return [PAGES[kind], ".html"];
    if (path === `/${kind}.js`) return [script, ".js"];
    if (path === "/inputs") return [JSON.stringify(about), ".json"];
    const [, directory, name] = path.split("/");
    if (directory === "ort") return [await readFile(join(ORT_FILES, basename(name!))), extname(name!)];
    if (directory === "models" && models.has(path)) return [await readFile(models.get(path)!), ".onnx"];
    const { data } = directory === "inputs" ? (inputs.tensors[Number(name)] ?? {}) : {};
    return data && [new Uint8Array(data.buffer, data.byteOffset, data.byteLength), ".bin"];
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url!, "http://localhost").pathname;
    if (line !== undefined) {
      if (await line.handle(path, request, response)) return;
      if (path !== "/" && path !== "/device.js" && !line.isDevice(request)) return void response.writeHead(403).end();
    }
    const found = await find(path);
    if (found) send(response, ...found, line === undefined && /^\/(ort|models)\//.test(path));
    else response.writeHead(404).end();
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => (response.headersSent ? response.destroy() : response.writeHead(400).end()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(notListening(host, port, error)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
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

function send(response: ServerResponse, content: string | Uint8Array, extension: string, isKept: boolean): void {
  response
    .writeHead(200, {
      "content-type": TYPES[extension] ?? "application/octet-stream",
      "cache-control": isKept ? "max-age=3600" : "no-store",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    })
    .end(content);
}

/** The page's script in one file. onnxruntime is not in it: it is measured as its makers ship it. */
async function buildPage(kind: keyof typeof PAGES): Promise<string> {
  const fromSource = import.meta.url.endsWith(".ts");
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../page/${kind}.${fromSource ? "ts" : "js"}`, import.meta.url))],
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

function notListening(host: string, port: number, error: NodeJS.ErrnoException): DistillateError {
  const isTaken = error.code === "EADDRINUSE";
  return new DistillateError({
    code: isTaken ? "port-in-use" : "host-invalid",
    message: isTaken ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port} (${error.code})`,
    hint: isTaken ? "Give another with --port." : "Give an address of this machine with --host, and a port above 1023.",
    cause: error,
  });
}
