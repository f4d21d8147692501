import { ENGINE_NAMES, engineStatus } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { InferenceSession } from "onnxruntime-node";
import { NODE_RUNTIME } from "../pipeline/node-runner.ts";
import { TOOL_VERSION } from "../version.ts";

const ARGS = {
  json: { type: "boolean", description: "Print what was found as JSON" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

interface Row {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to type next, where something is to be gained. */
  readonly next?: string;
}

/** `distillate doctor`: what works here, each engine proved with one gradient, and what to type next. */
export const doctor: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "doctor", description: "Say what works on this machine, and what to do about what does not." },
  args: ARGS,
  async run({ args }) {
    const engines = await Promise.all(
      ENGINE_NAMES.map(async (name): Promise<Row> => ({ what: `engine ${name}`, ...(await engineStatus(name)) })),
    );
    const native = engines.some(({ what, ok }) => ok && what !== "engine wasm");
    const rows: readonly Row[] = [
      {
        what: "distillate",
        ok: true,
        detail: `${TOOL_VERSION} on Node ${process.version}, ${process.platform} ${process.arch}`,
      },
      ...engines.map((row) =>
        row.what === "engine tensorflow" && !native ? { ...row, next: "distillate engine install tensorflow" } : row,
      ),
      { what: NODE_RUNTIME, ok: typeof InferenceSession.create === "function", detail: "loads" },
    ];
    for (const { what, ok, detail, next } of args.json ? [] : rows) {
      process.stdout.write(
        `${ok ? "works  " : "missing"}  ${what}: ${detail}${next ? `\n         type: ${next}` : ""}\n`,
      );
    }
    if (args.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
    // Without a single engine nothing can be trained.
    return engines.some(({ ok }) => ok) ? 0 : 1;
  },
});
