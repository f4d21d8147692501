import { mkdtemp, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadFashionMnist } from "./fashion-mnist.ts";

let answer: { readonly status: number; readonly body: Uint8Array };
let home: string;
const server = createServer((_request, response) => response.writeHead(answer.status).end(answer.body));

beforeAll(async () => {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  home = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test.each<[string, number, Uint8Array, string]>([
  ["a server that has it not", 404, new Uint8Array(), "data-missing"],
  ["another file of the right kind", 200, gzipSync(Buffer.alloc(100)), "data-corrupted"],
  ["a page instead of a file", 200, Buffer.from("<html>"), "data-corrupted"],
])("%s is refused, and nothing is kept", async (_what, status, body, code) => {
  answer = { status, body };
  const cacheDir = await mkdtemp(join(tmpdir(), "distillate-fashion-"));
  await expect(loadFashionMnist({ cacheDir, debian: "/nowhere", home })).rejects.toMatchObject({ code });
  expect(await readdir(cacheDir)).toEqual([]);
});

test("without a network the error says where to get it", async () => {
  const cacheDir = await mkdtemp(join(tmpdir(), "distillate-fashion-"));
  const offline = loadFashionMnist({ cacheDir, debian: "/nowhere", home: "http://127.0.0.1:9" });
  await expect(offline).rejects.toMatchObject({ code: "data-missing", hint: expect.stringContaining("--data DIR") });
});
