import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ONNXRUNTIME_VERSION } from "./backends/backend.ts";
import { BROWSER_BACKENDS } from "./backends/index.ts";
import { compareVersions, RUNTIME_VERSION } from "./version.ts";

const require = createRequire(import.meta.url);

test("the version is package.json's", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));
  expect(RUNTIME_VERSION).toBe(version);
});

test.each(Object.values(BROWSER_BACKENDS))("$name names the file of the installed onnxruntime-web", ({ runtime }) => {
  const bytes = readFileSync(require.resolve(`onnxruntime-web/${runtime!.path}`));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(runtime).toEqual({ path: runtime!.path, bytes: bytes.length, sha256 });
});

test("the worker expects the version of the installed onnxruntime-web", async () => {
  const { env } = (await import("onnxruntime-web/wasm")) as { env: { versions: { web?: string } } };
  expect(env.versions.web).toBe(ONNXRUNTIME_VERSION);
});

describe("order of versions", () => {
  const versions = fc
    .tuple(fc.nat(20), fc.nat(20), fc.nat(20), fc.constantFrom("", "-alpha", "-beta.2", "-rc-1"))
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre}`);

  test("by numbers, not by letters; a pre-release before its release", () => {
    const ordered = ["0.9.10", "0.10.0-alpha", "0.10.0-beta", "0.10.0", "1.0.0", "1.0.1", "1.10.0", "2.0.0-rc-1"];
    expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
  });

  test("it is an order", () => {
    fc.assert(
      fc.property(versions, versions, versions, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        expect(compareVersions(a, a)).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });
});
