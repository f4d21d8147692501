import { selectEngine } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { TOOL_VERSION } from "../version.ts";

const ARGS = { debug: { type: "boolean", description: "Show the stack of an error" } } as const;

/** `distillate doctor`: what works here, and what does not. */
export const doctor: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "doctor", description: "Say what works on this machine, and what to do about what does not." },
  args: ARGS,
  async run() {
    const engine = await selectEngine();
    process.stdout.write(`distillate ${TOOL_VERSION}, Node ${process.version}\n`);
    process.stdout.write(`training engine: ${engine.name} ${engine.version}\n`);
    for (const { name, reason } of engine.refused) process.stdout.write(`  not ${name}: ${reason}\n`);
  },
});
