import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DistillateError } from "@distillate/bundle";

/** Reads a configuration: JSON, or a module that exports it as `default` or `config`. */
export async function loadConfigFile(path: string, recipes: readonly string[]): Promise<unknown> {
  const file = resolve(path);
  try {
    if (extname(file) === ".json") return JSON.parse(await readFile(file, "utf8"));
    const module = (await import(pathToFileURL(file).href)) as { default?: unknown; config?: unknown };
    return module.default ?? module.config;
  } catch (error) {
    const missing = ["ENOENT", "ERR_MODULE_NOT_FOUND"].includes(String((error as NodeJS.ErrnoException).code));
    throw new DistillateError({
      code: missing ? "config-missing" : "config-unreadable",
      message: missing
        ? `${path} is neither a recipe (${recipes.join(", ")}) nor a file`
        : `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      hint: missing ? "Name a recipe, or give the path of a configuration." : "Mend the file, then run again.",
      cause: error,
    });
  }
}
