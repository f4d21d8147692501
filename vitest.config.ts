import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

// All that tests write lies in one place, which goes when they end.
const scratch = mkdtempSync(join(tmpdir(), "distillate-tests-"));
process.env.TMPDIR = scratch;
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const source = ["@distillate/source"];
const project = (name: string, include: string[], options: object = {}) => ({
  resolve: { conditions: source },
  ssr: { resolve: { conditions: source } },
  test: { name, include, testTimeout: 60_000, hookTimeout: 60_000, ...options },
});

export default defineConfig({
  test: {
    // tfjs keeps one global engine a process: a process a file.
    pool: "forks",
    maxWorkers: 2,
    reporters: process.env.CI ? ["default", "json"] : ["default"],
    outputFile: { json: "node_modules/.cache/vitest.json" },
    projects: [
      project("unit", ["packages/*/src/**/*.test.ts", "recipes/*.test.ts"]),
      project("conformance", ["tests/{conformance,golden,docs}/**/*.test.ts"], { testTimeout: 180_000 }),
      project("packaging", ["tests/packaging/**/*.test.ts"], { testTimeout: 180_000 }),
      project("browser", ["tests/browser/**/*.test.ts"], { testTimeout: 180_000, hookTimeout: 180_000 }),
      project("e2e", ["tests/e2e/**/*.test.ts"], { testTimeout: 600_000 }),
    ],
  },
});
