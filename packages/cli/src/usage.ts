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

/** The value of a flag that counts. @throws UsageError */
export function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new UsageError(`--${name} is ${text}, expected a whole number above 0`);
}

/** The value of a flag that chooses. @throws UsageError */
export function oneOf(name: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value;
  throw new UsageError(`--${name} ${value} is unknown; there are ${known.join(", ")}`);
}

/** A port of this machine; 0 lets the system pick one. */
export function portOf(text: string): number {
  const port = Number(text);
  if (text.trim() === "" || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port ${text} is no port`);
  return port;
}
