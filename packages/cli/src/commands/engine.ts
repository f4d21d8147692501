import { ENGINE_NAMES, engineStatus, installTensorflow } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { UsageError } from "../usage.ts";

const ARGS = {
  action: { type: "positional", required: false, description: "install; without it the engines are listed" },
  name: { type: "positional", required: false, description: "tensorflow" },
  wheel: { type: "string", description: "A tensorflow-cpu wheel that is already here", valueHint: "FILE.whl" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate engine`: which training engines are there; `engine install tensorflow` adds the native one. */
export const engine: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "engine",
    description: "List the training engines, or install the native one: engine install tensorflow.",
  },
  args: ARGS,
  async run({ args }) {
    if (args.action === undefined) {
      for (const name of ENGINE_NAMES) {
        const { ok, detail } = await engineStatus(name);
        process.stdout.write(`${ok ? "there  " : "missing"}  ${name}: ${detail}\n`);
      }
      return;
    }
    if (args.action !== "install" || args.name !== "tensorflow") {
      throw new UsageError(`engine takes nothing, or: install tensorflow; found ${args.action} ${args.name ?? ""}`);
    }
    const { directory, steps } = await installTensorflow({
      ...(args.wheel !== undefined && { wheel: args.wheel }),
      onStep: (step) => process.stdout.write(`· ${step}\n`),
    });
    process.stdout.write(steps === 0 ? `already installed in ${directory}\n` : `installed in ${directory}\n`);
  },
});
