/** From a command line to the configuration of a run. */
import { readdir } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { RECIPES } from "@distillate/recipes";
import { parseConfig, type RunConfig } from "@distillate/train";
import { UsageError } from "../usage.ts";
import { loadConfigFile } from "./config-file.ts";

/** The flags that decide a configuration. */
export interface ConfigArgs {
  readonly recipe?: string | undefined;
  readonly data?: string | undefined;
  readonly seed?: string | undefined;
  readonly teacher?: string | undefined;
  readonly set?: string | undefined;
}

/** A recipe or a file, changed by `--data`, `--seed`, `--teacher` and `--set`; with `--data` alone, what fits that directory. */
export async function configOf({ recipe, data, seed, teacher, set }: ConfigArgs): Promise<RunConfig> {
  const names = Object.keys(RECIPES);
  let input: unknown;
  if (recipe !== undefined) input = structuredClone(RECIPES[recipe] ?? (await loadConfigFile(recipe, names)));
  else if (data !== undefined) input = await configForDirectory(data);
  else throw new UsageError(`a recipe (${names.join(", ")}), a configuration file or --data DIR is needed`);
  if (data !== undefined) assign(input, "data.dir", resolve(data));
  if (seed !== undefined) assign(input, "seeds", [Number(seed)]);
  if (teacher !== undefined) assign(input, "teacher", { from: resolve(teacher) });
  for (const change of splitChanges(set ?? "")) {
    const [path, value] = split(change, "=");
    if (value === undefined) throw new UsageError(`--set ${change} has no value; write PATH=VALUE`);
    assign(input, path, parseValue(value));
  }
  return parseConfig(input);
}

/** Four idx files train like MNIST, anything else is a folder of images. */
async function configForDirectory(directory: string): Promise<unknown> {
  const files = await readdir(directory).catch(() => []);
  const isIdx = files.some((name) => /^train[-.]images[-.]idx/.test(name));
  const recipe = structuredClone(RECIPES[isIdx ? "mnist" : "image-folder"]!);
  const name = basename(resolve(directory))
    .replace(/[^a-z0-9._-]+/gi, "-")
    .replace(/^[^a-z0-9]+/i, "");
  return {
    ...recipe,
    name: name.slice(0, 64) || "images",
    data: { ...recipe.data, kind: isIdx ? "idx" : "image-folder" },
  };
}

/** `a=1,b=[2,3]`: commas within brackets, braces or quotes belong to a value. */
function splitChanges(text: string): readonly string[] {
  const changes: string[] = [];
  let [depth, quoted, start] = [0, false, 0];
  for (const [at, character] of [...`${text},`].entries()) {
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if ("[{".includes(character)) depth++;
    else if ("]}".includes(character)) depth--;
    else if (character === "," && (depth === 0 || at === text.length)) {
      if (at > start) changes.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return changes;
}

function split(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function assign(target: unknown, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  let place = target as Record<string, unknown>;
  for (const key of keys) {
    if (!Object.hasOwn(place, key) || typeof place[key] !== "object" || place[key] === null) {
      Object.defineProperty(place, key, { value: {}, enumerable: true, writable: true, configurable: true });
    }
    place = place[key] as Record<string, unknown>;
  }
  Object.defineProperty(place, last, { value, enumerable: true, writable: true, configurable: true });
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
