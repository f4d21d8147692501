/** Makes the page's files: once for each state of its sources, into a directory that later calls find again. */
import { createHash } from "node:crypto";
import { access, readdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(import.meta.url);

/**
 * Builds the page unless it is there.
 *
 * @param cache directory for built pages.
 * @returns the directory with `index.html`.
 */
export async function buildDemo(cache: string): Promise<string> {
  const sources = [ROOT, ...["@distillate/bundle", "@distillate/runtime-edge"].map(sourceOf)];
  const hash = createHash("sha256");
  for (const directory of sources) await hashSources(directory, hash);
  // Of Vite and onnxruntime too: another version makes another page.
  hash.update(await readFile(join(ROOT, "../../pnpm-lock.yaml")).catch(() => ""));
  const finished = join(cache, `demo-${hash.digest("hex").slice(0, 16)}`);
  if (await exists(join(finished, "index.html"))) return finished;
  // Built aside and moved: a directory that is there is whole, whoever else builds at the same time.
  const aside = `${finished}.${process.pid}`;
  await build({
    root: ROOT,
    configFile: false,
    logLevel: "silent",
    base: "./",
    resolve: { conditions: ["@distillate/source", "module", "browser"] },
    worker: { format: "es" },
    build: { outDir: aside, emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, reportCompressedSize: false },
  });
  await rename(aside, finished).catch(async (error: NodeJS.ErrnoException) => {
    await rm(aside, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  return finished;
}

/** The sources of a package of the workspace. */
function sourceOf(name: string): string {
  return join(require.resolve(`${name}/package.json`), "..", "src");
}

async function hashSources(directory: string, hash: ReturnType<typeof createHash>): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const skipped = new RegExp(`\\${sep}(node_modules|dist)\\${sep}|\\.test\\.ts$`);
  for (const file of files.filter((path) => !skipped.test(path)).sort()) {
    hash.update(file.slice(directory.length)).update(await readFile(file));
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
