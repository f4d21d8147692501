import { isDistillateError } from "@distillate/bundle";
import { UsageError } from "../usage.ts";

/** Prints an error for a person and returns the exit status: 2 for wrong usage, 130 after an interrupt, 1 otherwise. */
export function printError(error: unknown, { debug }: { readonly debug: boolean }): number {
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}\n  Type \`distillate --help\` for the commands.`);
    return 2;
  }
  if (isDistillateError(error)) {
    console.error(`error ${error.code}: ${error.message}\n  ${error.hint}`);
    if (debug) console.error(error.stack);
    return error.code === "interrupted" ? 130 : 1;
  }
  console.error(error instanceof Error ? error.stack : error);
  console.error("  This is a defect of distillate: please report it with the lines above.");
  return 1;
}
