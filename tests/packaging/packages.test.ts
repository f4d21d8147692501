/** What is published: built, packed, unpacked elsewhere, and used by plain Node and plain TypeScript. */
import { execFileSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, test } from "vitest";
import { unpackedProject } from "../fixtures/packed.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGES = ["bundle", "export", "train", "runtime-edge"] as const;
/** A use of each package as a reader of its README would write it; its last line prints `ok`. */
const USES: { readonly [Name in (typeof PACKAGES)[number]]: string } = {
  bundle: `import { softmax, topK } from "@distillate/bundle";
    console.log(topK(softmax(Float32Array.of(0, 2, 1)), ["a", "b", "c"], 1)[0]?.label === "b" ? "ok" : "no");`,
  export: `import { decodeModel } from "@distillate/export";
    try { decodeModel(new Uint8Array(3)); } catch (error) { console.log((error as { code: string }).code === "onnx-invalid" ? "ok" : error); }`,
  "runtime-edge": `import { load, RUNTIME_VERSION } from "@distillate/runtime-edge";
    console.log(typeof load === "function" && /^\\d/.test(RUNTIME_VERSION) ? "ok" : "no");`,
  train: `import { parseConfig, selectEngine } from "@distillate/train";
    const engine = await selectEngine({ engine: "wasm" });
    const config = parseConfig({ name: "a", data: { kind: "mnist" }, teacher: { model: { name: "cnn" } }, student: { model: { name: "cnn" } } });
    console.log(engine.name === "wasm" && config.distill.kd?.temperature === 4 ? "ok" : "no");`,
};

let project: string;

beforeAll(async () => {
  project = (await unpackedProject(PACKAGES)).directory;
}, 180_000);

describe.each(PACKAGES)("@distillate/%s", (name) => {
  test("publint has nothing to say", async () => {
    const pkgDir = join(ROOT, "packages", name);
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg!, { color: false }))).toEqual([]);
  });

  test("holds what is needed and no tests", async () => {
    const directory = join(project, "node_modules/@distillate", name);
    const files = await readdir(directory, { recursive: true });
    for (const needed of ["package.json", "README.md", "dist/index.js", "dist/index.d.ts", "src/index.ts"])
      expect(files).toContain(needed);
    expect(files.filter((file) => !file.startsWith("node_modules") && /\.test\.|tsbuildinfo/.test(file))).toEqual([]);
  });

  test("plain Node runs it, and strict TypeScript takes its types", async () => {
    const use = join(project, `${name}.ts`);
    await writeFile(use, USES[name]);
    const types = join(ROOT, "node_modules/@types");
    const flags = [
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--lib",
      "es2023,dom",
      "--skipLibCheck",
      "--typeRoots",
      types,
      "--types",
      "node",
    ];
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), ...flags, use], {
      cwd: project,
      encoding: "utf8",
    });
    const out = execFileSync(process.execPath, [join(project, `${name}.js`)], {
      cwd: project,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(out.trim().split("\n").at(-1)).toBe("ok");
  });
});

test.each(["bundle", "export"])("@distillate/%s needs nothing of Node: it runs in a page too", async (name) => {
  const directory = join(project, "node_modules/@distillate", name, "dist");
  const files = await readdir(directory, { recursive: true });
  for (const file of files.filter((path) => path.endsWith(".js"))) {
    expect(await readFile(join(directory, file), "utf8"), file).not.toMatch(/from "node:|\bprocess\.|\bBuffer\b/);
  }
});
