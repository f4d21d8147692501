import { type FileRef, isDistillateError, sha256Hex } from "@distillate/bundle";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type DownloadRequest, download } from "./download.ts";

const ADDRESS = "https://example.test/model.onnx";

/** How a server answers one request. */
interface Answer {
  readonly status: 200 | 206 | 416 | 503;
  /** Bytes after which the connection breaks off. */
  readonly breaks: number | undefined;
  readonly chunk: number;
  readonly announces: boolean;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Serves `bytes` by a script, and well once the script is through. */
function serve(bytes: Uint8Array, script: readonly Answer[], asked: string[] = []): void {
  const answers = [...script];
  vi.stubGlobal("fetch", async (_url: string, { headers, signal }: { headers: Headers; signal: AbortSignal }) => {
    signal.throwIfAborted();
    const range = headers.get("range");
    asked.push(range ?? "whole");
    const { status, breaks, chunk, announces } = answers.shift() ?? {
      status: range ? 206 : 200,
      breaks: undefined,
      chunk: 1000,
      announces: true,
    };
    if (status === 503 || (status === 416 && range)) return new Response(null, { status });
    const from = status === 206 && range ? Number(/\d+/.exec(range)![0]) : 0;
    const part = bytes.subarray(from);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (breaks !== undefined && sent >= breaks) return controller.error(new TypeError("network error"));
        if (sent >= part.length) return controller.close();
        controller.enqueue(part.slice(sent, sent + chunk));
        sent += chunk;
      },
    });
    return new Response(body, {
      status: from > 0 ? 206 : 200,
      headers: {
        ...(announces ? { "content-length": String(part.length) } : {}),
        ...(from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
      },
    });
  });
}

async function get(bytes: Uint8Array, more: Partial<DownloadRequest> = {}): Promise<Uint8Array> {
  const expected: FileRef = { path: "model.onnx", bytes: bytes.length, sha256: await sha256Hex(bytes) };
  const quiet = { signal: new AbortController().signal, onBytes: () => {}, onEvent: () => {} };
  const working = download({ url: ADDRESS, expected, ...quiet, ...more });
  let done = false;
  const watched = working.finally(() => {
    done = true;
  });
  watched.catch(() => {});
  while (!done) {
    await vi.runAllTimersAsync();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return watched;
}

const answers: fc.Arbitrary<Answer> = fc.record({
  status: fc.constantFrom(200 as const, 206 as const, 206 as const, 416 as const, 503 as const),
  breaks: fc.option(fc.nat(3000), { nil: undefined }),
  chunk: fc.integer({ min: 1, max: 2000 }),
  announces: fc.boolean(),
});

describe("download", () => {
  test("whatever the connection does, the file comes whole or the failure is named; never anything else", async () => {
    const bytes = Uint8Array.from({ length: 2500 }, (_, i) => (i * 31) % 251);
    await fc.assert(
      fc.asyncProperty(fc.array(answers, { maxLength: 6 }), async (script) => {
        serve(bytes, script);
        const found: unknown = await get(bytes).catch((error: unknown) => error);
        if (found instanceof Uint8Array) expect(Buffer.from(found).equals(bytes)).toBe(true);
        else expect(isDistillateError(found) && found.code).toBe("download-failed");
        if (script.length < 4) expect(found).toBeInstanceOf(Uint8Array);
      }),
      { numRuns: 60 },
    );
  });

  test("it goes on where it broke off, and counts up to the whole", async () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 256);
    const asked: string[] = [];
    serve(bytes, [{ status: 200, breaks: 2000, chunk: 500, announces: true }], asked);
    const counted: number[] = [];
    await get(bytes, { onBytes: (received) => counted.push(received) });
    expect(asked).toEqual(["whole", "bytes=2000-"]);
    expect(counted).toEqual([...counted].sort((a, b) => a - b));
    expect(counted.at(-1)).toBe(5000);
  });

  test("what an earlier download left is used, but a wrong half is thrown away", async () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 256);
    for (const [left, requests] of [
      [bytes.slice(0, 3000), ["bytes=3000-"]],
      [new Uint8Array(3000), ["bytes=3000-", "whole"]],
      [new Uint8Array(6000), ["whole"]],
    ] as const) {
      const asked: string[] = [];
      serve(bytes, [], asked);
      expect(await get(bytes, { resume: async () => left })).toEqual(bytes);
      expect(asked).toEqual(requests);
    }
  });

  test("what the caller's own function throws is the caller's, not the network's", async () => {
    const asked: string[] = [];
    serve(new Uint8Array(100), [], asked);
    const onBytes = (): void => {
      throw new RangeError("mine");
    };
    await expect(get(new Uint8Array(100), { onBytes })).rejects.toThrow(RangeError);
    expect(asked).toEqual(["whole"]);
  });

  test("a file of another length is named without being read", async () => {
    serve(new Uint8Array(100), []);
    const expected = { path: "model.onnx", bytes: 5000, sha256: "0".repeat(64) };
    await expect(get(new Uint8Array(0), { expected })).rejects.toMatchObject({
      code: "file-corrupted",
      message: expect.stringContaining("has 100 bytes, expected model.onnx with 5000"),
    });
  });

  test.each(["<!doctype html><title>app</title>", "  <html>", "<?xml version='1.0'?>"])(
    "a page in place of a manifest is named: %s",
    async (page) => {
      serve(new TextEncoder().encode(page), []);
      const { signal } = new AbortController();
      await expect(download({ url: ADDRESS, signal, onBytes: () => {}, onEvent: () => {} })).rejects.toMatchObject({
        code: "got-html",
        message: expect.stringContaining(`got HTML from ${ADDRESS}`),
      });
    },
  );
});
