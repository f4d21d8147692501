#!/usr/bin/env node
import { type CommandDef, defineCommand, parseArgs, renderUsage } from "citty";
import { COMMANDS, type CommandName } from "./commands/index.ts";
import { printError } from "./ui/print-error.ts";
import { checkFlags, UsageError } from "./usage.ts";
import { TOOL_VERSION } from "./version.ts";

/** Exit statuses: 0 done, 1 bad input or a failed check, 2 wrong usage, 130 interrupted. */
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-v") return print(TOOL_VERSION);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return print(await overview());
  const known = Object.keys(COMMANDS);
  if (!known.includes(name)) {
    return printError(new UsageError(`unknown command ${name}; there are ${known.join(", ")}`), { debug: false });
  }
  const command = await COMMANDS[name as CommandName]();
  if (rest.includes("--help") || rest.includes("-h")) return print(await renderUsage(command, await root()));
  try {
    const definitions = command.args as NonNullable<CommandDef["args"]>;
    checkFlags(rest, definitions as Parameters<typeof checkFlags>[1]);
    const args = parseArgs(rest, definitions as Parameters<typeof parseArgs>[1]);
    const status: unknown = await command.run?.({ rawArgs: rest, args, cmd: command });
    return typeof status === "number" ? status : 0;
  } catch (error) {
    // The parser's own class, which it does not export: something that must be there is not.
    const usage = error instanceof Error && error.name === "CLIError" ? new UsageError(error.message) : error;
    return printError(usage, { debug: rest.includes("--debug") });
  }
}

async function root(): Promise<CommandDef> {
  return defineCommand({
    meta: {
      name: "distillate",
      version: TOOL_VERSION,
      description: "From a labelled data set to a verified small model.",
    },
    subCommands: COMMANDS as Record<string, () => Promise<CommandDef>>,
  });
}

async function overview(): Promise<string> {
  return renderUsage(await root());
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
