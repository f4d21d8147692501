/** What is published: built, packed, unpacked elsewhere, and used by plain Node and plain TypeScript. */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGES = ["bundle", "export", "train"] as const;
/** A use of each package as a reader of its README would write it; its last line prints `ok`. */
const USES: { readonly [Name in (typeof PACKAGES)[number]]: string } = {
  bundle: `import { softmax, topK } from "@distillate/bundle";
    console.log(topK(softmax(Float32Array.of(0, 2, 1)), ["a", "b", "c"], 1)[0]?.label === "b" ? "ok" : "no");`,
  export: `import { decodeModel } from "@distillate/export";
    try { decodeModel(new Uint8Array(3)); } catch (error) { console.log((error as { code: string }).code === "onnx-invalid" ? "ok" : error); }`,
  train: `import { parseConfig, selectEngine } from "@distillate/train";
    const engine = await selectEngine({ engine: "wasm" });
    const config = parseConfig({ name: "a", data: { kind: "mnist" }, teacher: { model: { name: "cnn" } }, student: { model: { name: "cnn" } } });
    console.log(engine.name === "wasm" && config.distill.kd?.temperature === 4 ? "ok" : "no");`,
};

let project: string;

beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-b"], {
    cwd: ROOT,
    stdio: "inherit",
  });
  project = await mkdtemp(join(tmpdir(), "distillate-packaging-"));
  const scope = join(project, "node_modules/@distillate");
  await mkdir(scope, { recursive: true });
  for (const name of PACKAGES) {
    const source = join(ROOT, "packages", name);
    const { files } = JSON.parse(
      execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
        cwd: source,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    )[0] as { files: readonly { path: string }[] };
    for (const { path } of files) await cp(join(source, path), join(scope, name, path));
    // Its dependencies as an installer would put them; its siblings are the unpacked ones.
    const modules = join(scope, name, "node_modules");
    await mkdir(modules, { recursive: true });
    const manifest = JSON.parse(await readFile(join(source, "package.json"), "utf8")) as { dependencies?: object };
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      if (dependency.startsWith("@distillate/")) continue;
      await mkdir(join(modules, dependency, ".."), { recursive: true });
      await symlink(join(source, "node_modules", dependency), join(modules, dependency));
    }
  }
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
    await writeFile(join(project, "package.json"), '{ "type": "module" }');
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
