/** What can go wrong on a machine that lacks something, acted out with a PATH of our own: no network, and nothing is installed. */
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { installTensorflow } from "./install-tensorflow.ts";
import { engineStatus } from "./status.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

let place: string;

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "distillate-install-"));
  await mkdir(join(place, "bin"));
  vi.stubEnv("PATH", join(place, "bin"));
  vi.stubEnv("CXX", "");
  vi.stubGlobal("fetch", () => Promise.reject(new Error("no network")));
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

/** Puts a shell script onto the PATH that notes its arguments first. */
async function tool(name: string, body = ""): Promise<void> {
  const file = join(place, "bin", name);
  await writeFile(file, `#!/bin/sh\necho "${name} $*" >> ${join(place, "calls")}\n${body}\n`);
  await chmod(file, 0o755);
}

const calls = (): Promise<string> => readFile(join(place, "calls"), "utf8").catch(() => "");

async function failureOf(): Promise<{ code?: string; message: string; hint?: string; steps: readonly string[] }> {
  // An empty cache: an engine that this user has is not seen.
  vi.stubEnv("DISTILLATE_CACHE", join(place, "cache"));
  const steps: string[] = [];
  const error = await installTensorflow({ onStep: (step) => steps.push(step) }).catch((reason: unknown) => reason);
  return { ...(error as { code?: string; hint?: string }), message: (error as Error).message, steps };
}

test.skipIf(!ok)(`where it works already nothing is done, however often${ok ? "" : ` (${detail})`}`, async () => {
  for (let time = 0; time < 2; time++) expect((await installTensorflow()).steps).toBe(0);
  expect(await calls()).toBe("");
});

test("without npm", async () => {
  const { code, message, hint } = await failureOf();
  expect(code).toBe("engine-install-failed");
  expect(message).toMatch(/^could not install @tensorflow\/tfjs-node .*: there is no npm here$/);
  expect(hint).toMatch(/npm, Python 3 with pip, make, g\+\+ and a network .*--wheel.* wasm/);
});

test("without Python and a compiler: all that is missing is named at once, before anything large is downloaded", async () => {
  await tool("npm");
  await tool("make");
  const { code, message, steps } = await failureOf();
  expect(code).toBe("engine-install-failed");
  expect(message).toBe(
    "could not find what builds the addon: not found, or not working: Python 3 (python3), its pip, a C++ compiler (g++)",
  );
  expect(steps).toHaveLength(2);
  expect(await calls()).toMatch(/^npm install --ignore-scripts .*\nmake --version\n$/);
});

test("without a network: what npm says, or pip, is handed on", async () => {
  await tool("npm", 'echo "npm error network request to the registry failed" >&2; exit 1');
  expect((await failureOf()).message).toMatch(/could not install .*: npm error network request/);
  await tool("npm");
  for (const name of ["make", "g++"]) await tool(name);
  await tool("python3", 'case "$*" in *download*) echo "ERROR: No matching distribution found" >&2; exit 1;; esac');
  const { message, hint } = await failureOf();
  expect(message).toBe("could not take the library of tensorflow-cpu 2.21.0: ERROR: No matching distribution found");
  expect(hint).toMatch(/a network \(--wheel takes a tensorflow-cpu wheel that is here already\)/);
});

test.each([
  [
    "throws",
    "throw new Error('libtensorflow.so.2: cannot open shared object file')",
    /does not load: libtensorflow\.so\.2: cannot open/,
  ],
  ["ends the process", "process.kill(process.pid, 'SIGSEGV')", /process ended with SIGSEGV/],
])("a library that %s when it is loaded is a status with its reason", async (_how, body, expected) => {
  const home = join(place, "cache", "engines", "tensorflow");
  const module = join(home, "node_modules", "@tensorflow", "tfjs-node");
  await mkdir(join(module, "deps", "lib"), { recursive: true });
  await writeFile(join(home, "package.json"), "{}");
  await writeFile(join(module, "package.json"), '{ "name": "@tensorflow/tfjs-node", "main": "index.js" }');
  await writeFile(join(module, "index.js"), body);
  vi.stubEnv("DISTILLATE_CACHE", join(place, "cache"));
  const status = await engineStatus("tensorflow");
  expect(status.ok).toBe(false);
  expect(status.detail).toMatch(expected);
});
