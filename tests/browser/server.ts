/**
 * A server for browser tests: files from memory and directories, with the headers that a test wants and the faults that it
 * injects. Listens on the loopback address alone.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

/** What to do with a request before files are looked up; `true` when it has answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** A running server. */
export interface TestServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  /** Changed by tests at will. */
  readonly headers: Map<string, string>;
  readonly files: Map<string, Uint8Array | string>;
  fault: Fault | undefined;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".css": "text/css",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/** Starts a server; `mounts` are directories by path prefix. */
export async function serve(mounts: Readonly<Record<string, string>>): Promise<TestServer> {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://localhost").pathname);
    result.requests.push(path);
    for (const [name, value] of result.headers) response.setHeader(name, value);
    try {
      if (await result.fault?.(request, response)) return;
      const bytes = result.files.get(path) ?? (await fromMounts(path));
      if (bytes === undefined) return void response.writeHead(404, { "content-type": "text/plain" }).end("not found");
      send(request, response, Buffer.from(bytes as Uint8Array), typeOf(path));
    } catch {
      response.destroy();
    }
  });
  const fromMounts = async (path: string): Promise<Uint8Array | undefined> => {
    const prefix = Object.keys(mounts).find((each) => path.startsWith(each));
    return prefix === undefined
      ? undefined
      : readFile(join(mounts[prefix]!, normalize(path.slice(prefix.length)))).catch(() => undefined);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const result: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    headers: new Map(),
    files: new Map(),
    fault: undefined,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return result;
}

/** Whole, or the part that a Range header asks for. */
function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer, type: string): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) {
    response
      .writeHead(200, { "content-type": type, "content-length": bytes.length, "accept-ranges": "bytes" })
      .end(bytes);
  } else if (from >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  } else {
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response
      .writeHead(206, { "content-type": type, "content-length": bytes.length - from, "content-range": range })
      .end(bytes.subarray(from));
  }
}

function typeOf(path: string): string {
  return TYPES[path.endsWith("/") ? ".html" : extname(path)] ?? "application/octet-stream";
}
