import type { ArgDef } from "citty";

/** A command line that asks for something that is not there; the command exits with 2. */
export class UsageError extends Error {}

/**
 * Refuses flags that a command does not have, and values that are missing: the parser itself lets both pass.
 *
 * @throws UsageError naming the flag, and the nearest one that exists.
 */
export function checkFlags(argv: readonly string[], definitions: Readonly<Record<string, ArgDef>>): void {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  for (const [index, word] of words.entries()) {
    if (!word.startsWith("-") || word === "-") continue;
    const [flag = "", value] = word.split("=", 2);
    const definition = definitionOf(flag, definitions);
    if (definition === undefined) {
      const flags = Object.entries(definitions).flatMap(([name, { type }]) =>
        type === "positional" ? [] : [`--${name}`],
      );
      throw new UsageError(`unknown flag ${flag}; this command takes ${flags.join(", ")}`);
    }
    const next = words[index + 1];
    if (definition.type !== "boolean" && (value ?? next ?? "") === "") throw new UsageError(`${flag} needs a value`);
    if (definition.type !== "boolean" && value === undefined && next !== undefined && definitionOf(next, definitions)) {
      throw new UsageError(`${flag} needs a value, found ${next}`);
    }
  }
}

function definitionOf(flag: string, definitions: Readonly<Record<string, ArgDef>>): ArgDef | undefined {
  if (flag.startsWith("--no-")) {
    const definition = definitions[flag.slice(5)];
    return definition?.type === "boolean" ? definition : undefined;
  }
  if (flag.startsWith("--")) {
    const definition = definitions[flag.slice(2)];
    return definition?.type === "positional" ? undefined : definition;
  }
  return Object.values(definitions).find((definition) => "alias" in definition && `-${definition.alias}` === flag);
}
