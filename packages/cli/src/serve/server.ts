/**
 * A small server for a page and its models: files from a directory, and others from memory. Its headers isolate the page, so that
 * WebAssembly may use threads; ranges are answered, so that broken downloads go on.
 */
import { readFile, realpath, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, sep } from "node:path";
import { DistillateError } from "@distillate/bundle";

/** What is served. */
export interface Site {
  /** The page: `index.html` and what it needs. */
  readonly directory: string;
  /** Further files by path, such as `/bundles/0/manifest.json`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A running server. */
export interface Serving {
  readonly port: number;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".ts": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'",
} as const;

/** Ports that are tried after the wanted one. */
const TRIED = 20;

/**
 * Starts it on a port, or on the next free one after it.
 *
 * @throws DistillateError `port-in-use` when none of twenty is free, or `host-invalid`.
 */
export async function serveSite(site: Site, host: string, port: number): Promise<Serving> {
  const root = await realpath(site.directory);
  const server = createServer((request, response) => {
    answer(root, site, request, response).catch(() => response.destroy());
  });
  for (let next = port; ; next++) {
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once("error", resolve);
      server.listen(next, host, () => {
        server.off("error", resolve);
        resolve(undefined);
      });
    });
    if (error === undefined) break;
    if (error.code !== "EADDRINUSE" || next >= port + TRIED || next === 65_535) throw notListening(host, port, error);
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function answer(root: string, site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return void response.writeHead(405, HEADERS).end();
  const path = pathOf(request.url ?? "/");
  const bytes = path === undefined ? undefined : (site.files.get(path) ?? (await fileBelow(root, path)));
  if (bytes === undefined)
    return void response.writeHead(404, { ...HEADERS, "content-type": "text/plain" }).end("not here\n");
  const headers = {
    ...HEADERS,
    "content-type": TYPES[extname(path!)] ?? "application/octet-stream",
    "accept-ranges": "bytes",
  };
  const part = rangeOf(request.headers.range, bytes.byteLength);
  if (part === "beyond") {
    response.writeHead(416, { ...headers, "content-range": `bytes */${bytes.byteLength}` }).end();
    return;
  }
  const { from, to } = part ?? { from: 0, to: bytes.byteLength };
  response.writeHead(part ? 206 : 200, {
    ...headers,
    "content-length": to - from,
    ...(part && { "content-range": `bytes ${from}-${to - 1}/${bytes.byteLength}` }),
  });
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(from, to));
}

/** The path of an address, decoded; `undefined` for what is none. */
function pathOf(url: string): string | undefined {
  try {
    const path = decodeURIComponent(url.split(/[?#]/)[0]!);
    return path.endsWith("/") ? `${path}index.html` : path;
  } catch {
    return undefined;
  }
}

/** A file of the directory; nothing that lies outside of it, whichever way a path or a link leads there. */
async function fileBelow(root: string, path: string): Promise<Uint8Array | undefined> {
  if (path.includes("\0")) return undefined;
  const file = await realpath(join(root, path)).catch(() => undefined);
  if (file === undefined || !file.startsWith(root + sep)) return undefined;
  return (await stat(file)).isFile() ? readFile(file) : undefined;
}

/** The bytes that a Range header asks for; several ranges at once are answered with the whole. */
function rangeOf(
  header: string | undefined,
  size: number,
): { readonly from: number; readonly to: number } | "beyond" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || (first === "" && last === "")) return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return from >= size || from >= to ? "beyond" : { from, to };
}

function notListening(host: string, port: number, error: NodeJS.ErrnoException): DistillateError {
  const taken = error.code === "EADDRINUSE";
  return new DistillateError({
    code: taken ? "port-in-use" : "host-invalid",
    message: taken
      ? `ports ${port} to ${port + TRIED} of ${host} are in use`
      : `cannot listen on ${host}:${port} (${error.code})`,
    hint: taken
      ? "Give another with --port."
      : "Give an address of this machine with --host, 0.0.0.0 for all, and a port above 1023.",
    cause: error,
  });
}
