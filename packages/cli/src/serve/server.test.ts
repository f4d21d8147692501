import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Serving, type Site, serveSite } from "./server.ts";

let site: Site;
let serving: Serving;
let url: string;

beforeAll(async () => {
  const place = await mkdtemp(join(tmpdir(), "distillate-serve-"));
  const directory = join(place, "page");
  await mkdir(directory);
  await writeFile(join(place, "secret.txt"), "secret");
  await symlink(join(place, "secret.txt"), join(directory, "link.txt"));
  await writeFile(join(directory, "index.html"), "<!doctype html>");
  await writeFile(join(directory, "a.wasm"), "0123456789");
  site = { directory, files: new Map([["/bundles/0/manifest.json", new TextEncoder().encode("{}")]]) };
  serving = await serveSite(site, "127.0.0.1", 5173);
  url = `http://127.0.0.1:${serving.port}`;
});
afterAll(() => serving.close());

/** As typed: `fetch` would clean the path up first. */
function rawStatus(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port: serving.port, path }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on("error", reject)
      .end();
  });
}

test("the page, its files and those in memory come with their types and the headers that isolate a page", async () => {
  const types = {
    "/": "text/html; charset=utf-8",
    "/a.wasm": "application/wasm",
    "/bundles/0/manifest.json": "application/json",
  };
  for (const [path, type] of Object.entries(types)) {
    const { status, headers } = await fetch(url + path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
  }
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
});

test.each([
  ["bytes=4-", 206, "456789", "bytes 4-9/10"],
  ["bytes=2-3", 206, "23", "bytes 2-3/10"],
  ["bytes=-3", 206, "789", "bytes 7-9/10"],
  ["bytes=0-99", 206, "0123456789", "bytes 0-9/10"],
  ["bytes=10-", 416, "", "bytes */10"],
  ["bytes=3-2", 416, "", "bytes */10"],
  ["bytes=1-2,4-5", 200, "0123456789", null],
  ["lines=1-2", 200, "0123456789", null],
])("range %s", async (range, status, text, contentRange) => {
  const response = await fetch(`${url}/a.wasm`, { headers: { range } });
  expect(response.status).toBe(status);
  expect(await response.text()).toBe(text);
  expect(response.headers.get("content-range")).toBe(contentRange);
});

test.each(["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/%00", "/%zz", "/none", "/."])(
  "%s leads nowhere",
  async (path) => {
    expect(await rawStatus(path)).toBe(404);
  },
);

test("a port that is taken gives way to the next; an address of no machine is named", async () => {
  const second = await serveSite(site, "127.0.0.1", serving.port);
  expect(second.port).toBeGreaterThan(serving.port);
  await second.close();
  await expect(serveSite(site, "203.0.113.1", 5173)).rejects.toMatchObject({ code: "host-invalid" });
});
