/** What an import of the package brings with it, before anything of it is called. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

const { exports } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
  exports: Record<string, { "@distillate/source"?: string }>;
};
const ENTRIES = Object.values(exports).flatMap(({ "@distillate/source": path }) => (path ? [path] : []));

describe.each(ENTRIES)("%s", (entry) => {
  const path = join(import.meta.dirname, "..", entry);

  test("is importable on a server, where it leaves nothing behind and starts nothing", () => {
    const script = `
      const before = new Set(Reflect.ownKeys(globalThis));
      await import(${JSON.stringify(path)});
      const left = Reflect.ownKeys(globalThis).filter((key) => !before.has(key)).map(String);
      console.log(JSON.stringify(left));`;
    const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
    // It ends by itself: nothing that was started keeps it.
    const out = execFileSync(process.execPath, flags, { cwd: import.meta.dirname, encoding: "utf8", timeout: 30_000 });
    expect(JSON.parse(out)).toEqual([]);
  });

  test("imports no onnxruntime, no decoder and no archive reader before it is needed", async () => {
    const { metafile } = await build({
      entryPoints: [path],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "neutral",
      outdir: "out",
      packages: "external",
      logLevel: "silent",
    });
    const eager = Object.values(metafile.inputs).flatMap(({ imports }) =>
      imports.filter(({ kind, external }) => external && kind === "import-statement").map(({ path: name }) => name),
    );
    const allowed = ["@distillate/bundle", ...(entry.includes("react") ? ["react"] : [])];
    // The archive reader's own import comes with the reader.
    expect(new Set(eager.filter((name) => !name.startsWith("node:") && name !== "fflate"))).toEqual(new Set(allowed));
    if (!entry.includes("node")) expect(eager.filter((name) => name.startsWith("node:"))).toEqual([]);
  });

  test("is free of side effects: unused, nothing of it is left", async () => {
    const { outputFiles } = await build({
      stdin: { contents: `import ${JSON.stringify(path)};`, resolveDir: import.meta.dirname },
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      packages: "external",
      logLevel: "silent",
    });
    expect(outputFiles[0]!.text.replace(/^\/\/.*$/gm, "").trim()).toBe("");
  });
});
