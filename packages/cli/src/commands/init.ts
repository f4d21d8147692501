import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { configOf } from "./run-config.ts";

const ARGS = {
  recipe: { type: "positional", required: false, description: "A built-in recipe to start from" },
  data: { type: "string", description: "Directory of the data set to write it for", valueHint: "DIR" },
  out: {
    type: "string",
    alias: "o",
    default: "distillate.config.json",
    description: "The file to write",
    valueHint: "FILE",
  },
  force: { type: "boolean", description: "Write over a file that is there" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate init`: a configuration with every knob and its value, to be changed by hand. */
export const init: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "init", description: "Write a configuration file with every value, from a recipe or for a data set." },
  args: ARGS,
  async run({ args }) {
    const recipe = args.recipe ?? (args.data === undefined ? "mnist" : undefined);
    const config = await configOf({ recipe, data: args.data });
    const path = resolve(args.out);
    const taken = await access(path).then(
      () => true,
      () => false,
    );
    if (taken && !args.force) {
      throw new DistillateError({
        code: "file-exists",
        message: `${path} is already there`,
        hint: "Write elsewhere with --out FILE, or over it with --force.",
      });
    }
    await writeFileAtomic(path, `${JSON.stringify(config, null, 2)}\n`);
    process.stdout.write(`${args.out} is written; change it, then: distillate run ${args.out}\n`);
  },
});
