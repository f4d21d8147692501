import { resolve } from "node:path";
import { DistillateError } from "@distillate/bundle";
import { RECIPES } from "@distillate/recipes";
import { ENGINE_NAMES, type EngineName, parseConfig, type RunConfig } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { runPipeline } from "../pipeline/pipeline.ts";
import { finding } from "../report/run-report.ts";
import { textTable } from "../report/table.ts";
import { createReporter } from "../ui/reporter.ts";
import { UsageError } from "../usage.ts";
import { loadConfigFile } from "./config-file.ts";

const ARGS = {
  recipe: {
    type: "positional",
    required: false,
    description: "A built-in recipe, or the path of a configuration file",
  },
  data: { type: "string", description: "Directory of the data set", valueHint: "DIR" },
  out: { type: "string", description: "Run directory (runs/NAME by default)", valueHint: "DIR" },
  seed: { type: "string", description: "One seed instead of the recipe's", valueHint: "N" },
  engine: { type: "string", description: "tensorflow-gpu, tensorflow, wasm or auto", valueHint: "NAME" },
  set: { type: "string", description: "Change values of the configuration: a.b=1,c.d=2", valueHint: "PATH=VALUE" },
  json: { type: "boolean", description: "JSON lines instead of text; the report is the last" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate run`: the whole pipeline. */
export const run: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "run",
    description: "Run the whole pipeline: data, teacher, baseline, student, export, checks, report.",
  },
  args: ARGS,
  async run({ args }) {
    const config = await configOf(args);
    const out = resolve(args.out ?? `runs/${config.name}`);
    const abort = new AbortController();
    const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort());
    process.on("SIGINT", interrupt);
    const clock = (): number => performance.now();
    const reporter = createReporter({
      json: args.json === true,
      quiet: args.quiet === true,
      stream: process.stdout,
      clock,
    });
    try {
      const engine = engineOf(args.engine);
      const report = await runPipeline({ config, out, engine, signal: abort.signal, clock, onEvent: reporter.event });
      reporter.close();
      if (args.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else if (!args.quiet) {
        process.stdout.write(`\n${textTable(report.models)}\n\n${finding(report)}\n\n`);
        for (const { name, found, allowed, ok } of report.checks) {
          process.stdout.write(`${ok ? "passed" : "FAILED"}: ${name}: ${found}, allowed ${allowed}\n`);
        }
        process.stdout.write(
          `${out}/report.html, report.json, report.md and bundle/ in ${report.seconds.toFixed(1)} s\n`,
        );
      }
      return report.checks.every(({ ok }) => ok) ? 0 : 1;
    } catch (error) {
      reporter.close();
      throw error;
    } finally {
      process.off("SIGINT", interrupt);
    }
  },
});

async function configOf(args: {
  readonly recipe?: string | undefined;
  readonly data?: string | undefined;
  readonly seed?: string | undefined;
  readonly set?: string | undefined;
}): Promise<RunConfig> {
  const { recipe } = args;
  if (recipe === undefined) {
    throw new UsageError(`run needs a recipe (${Object.keys(RECIPES).join(", ")}) or a configuration file`);
  }
  const input: unknown = structuredClone(RECIPES[recipe] ?? (await loadConfigFile(recipe, Object.keys(RECIPES))));
  if (args.data !== undefined) assign(input, "data.dir", args.data);
  if (args.seed !== undefined) assign(input, "seeds", [Number(args.seed)]);
  for (const change of args.set?.split(",") ?? []) {
    const [path = "", value] = change.split("=", 2);
    if (value === undefined) throw new UsageError(`--set ${change} has no value; write PATH=VALUE`);
    assign(input, path, parseValue(value));
  }
  return parseConfig(input);
}

function assign(target: unknown, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  let place = target as Record<string, unknown>;
  for (const key of keys) {
    if (typeof place[key] !== "object" || place[key] === null) place[key] = {};
    place = place[key] as Record<string, unknown>;
  }
  place[last] = value;
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function engineOf(name: string | undefined): EngineName | "auto" {
  if (name === undefined || name === "auto") return "auto";
  if ((ENGINE_NAMES as readonly string[]).includes(name)) return name as EngineName;
  throw new DistillateError({
    code: "engine-unknown",
    message: `--engine is ${name}, expected auto, ${ENGINE_NAMES.join(", ")}`,
    hint: "Leave it out to take the fastest one that is there.",
  });
}
