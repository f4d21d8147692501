/**
 * One file over the network: streamed, counted, abortable, continued where it broke off, and trusted only when its SHA-256 is
 * the expected one. Pages that a server sends in place of a file are recognised and named.
 */
import { DistillateError, type FileRef, LIMITS, verifyFile } from "@distillate/bundle";
import { createBreather } from "./breathe.ts";
import type { OnEvent } from "./events.ts";

/** What to fetch and how. */
export interface DownloadRequest {
  readonly url: string;
  /** What the file must be; absent for a manifest or an archive, which say themselves what they hold. */
  readonly expected?: FileRef;
  readonly signal: AbortSignal;
  readonly onBytes: (received: number, total: number | undefined) => void;
  readonly onEvent: OnEvent;
  /** Passed to `fetch`: headers, credentials, cache. */
  readonly init?: RequestInit;
  /** What an earlier download left; asked once. */
  readonly resume?: () => Promise<Uint8Array | undefined>;
  /** Takes what has arrived when the download is given up. */
  readonly keep?: (bytes: Uint8Array) => Promise<void>;
}

/** Attempts on a network that fails, and milliseconds before the second; each further wait is twice as long. */
const ATTEMPTS = 4;
const FIRST_WAIT = 200;
/** A file whose size nobody announced ends here. */
const UNKNOWN_SIZE_LIMIT = 256 * 1024 * 1024;
/** Less than this is fetched again rather than kept. */
const WORTH_KEEPING = 64 * 1024;

/**
 * Fetches one file.
 *
 * @throws DistillateError `download-failed`, `got-html` or `file-corrupted`; the signal's reason when it is aborted.
 */
export async function download(request: DownloadRequest): Promise<Uint8Array> {
  const { url, expected, signal, onEvent } = request;
  const name = expected?.path ?? url;
  const buffer = new GrowingBuffer(expected?.bytes ?? UNKNOWN_SIZE_LIMIT);
  const earlier = expected && (await request.resume?.());
  if (earlier && earlier.byteLength < expected.bytes) buffer.push(earlier);
  let fresh = false;
  const breathe = createBreather();
  for (let attempt = 1; ; attempt++) {
    try {
      await receive(request, buffer, fresh, breathe);
      const bytes = buffer.bytes();
      refuseHtml(url, bytes, undefined, expected);
      await breathe();
      if (expected) await verifyFile(bytes, expected);
      await breathe();
      return bytes;
    } catch (error) {
      const corrupted = (error as { code?: string }).code === "file-corrupted";
      const again = error instanceof Interrupted || (corrupted && !fresh);
      if (corrupted) {
        // Two halves of different files, or a bad entry of the browser's own cache: once more from nothing.
        buffer.clear();
        fresh = true;
      }
      if (signal.aborted || !again || attempt === ATTEMPTS) {
        if (!corrupted && buffer.length >= WORTH_KEEPING) await request.keep?.(buffer.bytes()).catch(() => {});
        throw signal.aborted
          ? signal.reason
          : error instanceof Interrupted
            ? failed(url, error.message, error.cause)
            : error;
      }
      onEvent({ kind: "download-retry", file: name, attempt, message: (error as Error).message });
      await pause(FIRST_WAIT * 2 ** (attempt - 1), signal);
    }
  }
}

/** A failure that the network may not repeat. */
class Interrupted extends Error {}

async function receive(
  request: DownloadRequest,
  buffer: GrowingBuffer,
  fresh: boolean,
  breathe: () => Promise<void>,
): Promise<void> {
  const { url, expected, signal, onBytes } = request;
  const headers = new Headers(request.init?.headers);
  if (buffer.length > 0) headers.set("range", `bytes=${buffer.length}-`);
  let response: Response;
  try {
    // What has a hash may come from the browser's cache; what has none must be asked for again.
    const cache = fresh ? "reload" : (request.init?.cache ?? (expected ? "default" : "no-cache"));
    response = await fetch(url, { ...request.init, cache, headers, signal });
  } catch (cause) {
    throw new Interrupted(`the network failed: ${(cause as Error).message}`, { cause });
  }
  const { status } = response;
  if (status >= 500 || status === 429 || status === 408) throw new Interrupted(`the server answers ${status}`);
  if (status === 416) {
    buffer.clear();
    throw new Interrupted("the server does not have the rest of what was begun");
  }
  if (!response.ok) throw failed(url, `the server answers ${status} ${response.statusText}`);
  refuseHtml(url, undefined, response.headers.get("content-type") ?? "", expected);
  if (status !== 206) buffer.clear();
  else if (!response.headers.get("content-range")?.startsWith(`bytes ${buffer.length}-`)) {
    buffer.clear();
    throw new Interrupted("the server sends another part than the one asked for");
  }

  const announced = Number(response.headers.get("content-length"));
  // With compression on the way, the header counts other bytes than those that arrive; another origin does not tell of it.
  const plain = response.type !== "cors" && !response.headers.get("content-encoding");
  const whole = plain && announced ? buffer.length + announced : undefined;
  if (expected && whole !== undefined && whole !== expected.bytes) {
    void response.body?.cancel().catch(() => {});
    throw otherFile(url, whole, expected);
  }
  const total = expected?.bytes ?? whole;
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new Interrupted(`the connection broke off after ${buffer.length} bytes`, { cause });
      });
      if (done) break;
      if (!buffer.push(value)) throw failed(url, `more than the expected ${buffer.limit} bytes arrive`);
      onBytes(buffer.length, total);
      await breathe();
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
  if (total !== undefined && buffer.length < total) {
    throw new Interrupted(`the connection ended after ${buffer.length} of ${total} bytes`);
  }
}

function otherFile(url: string, bytes: number, expected: FileRef): DistillateError {
  return new DistillateError({
    code: "file-corrupted",
    message: `${url} has ${bytes} bytes, expected ${expected.path} with ${expected.bytes}`,
    hint: "Upload the whole bundle again; its files belong together.",
  });
}

/** Single-page servers answer every address with their page, and status 200. */
function refuseHtml(
  url: string,
  bytes: Uint8Array | undefined,
  type: string | undefined,
  expected: FileRef | undefined,
): void {
  const beginning = bytes ? new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().toLowerCase() : "";
  if (!type?.startsWith("text/html") && !/^<(!doctype|html|head|\?xml)/.test(beginning)) return;
  throw new DistillateError({
    code: "got-html",
    message: `got HTML from ${url}, expected ${expected?.path ?? "a manifest or an archive of a model"}`,
    hint: "The server sends its page in place of the file: see that the file is deployed at this address, or pass `assetsUrl`.",
  });
}

/** Bytes that arrive in pieces, up to a limit. */
class GrowingBuffer {
  #chunks: Uint8Array[] = [];
  length = 0;
  readonly limit: number;

  constructor(limit: number) {
    this.limit = Math.min(limit, LIMITS.fileBytes);
  }

  push(chunk: Uint8Array): boolean {
    if (this.length + chunk.byteLength > this.limit) return false;
    this.#chunks.push(chunk);
    this.length += chunk.byteLength;
    return true;
  }

  clear(): void {
    this.#chunks = [];
    this.length = 0;
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    this.#chunks = [whole];
    return whole;
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

function failed(url: string, found: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "download-failed",
    message: `${url} cannot be fetched: ${found}`,
    hint: "Check the address and the connection, then load again; what has arrived is kept where the browser allows it.",
    cause,
  });
}
