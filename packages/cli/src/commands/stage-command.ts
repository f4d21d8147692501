/** The commands that run the pipeline: `run` to its end, the others up to their stage, in the same run directory. */
import { relative, resolve } from "node:path";
import { DistillateError, isDistillateError } from "@distillate/bundle";
import { ENGINE_NAMES, type EngineName } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { type PipelineOptions, type PipelineResult, runPipeline, type Target } from "../pipeline/pipeline.ts";
import { describeResult } from "../report/result-lines.ts";
import { createReporter } from "../ui/reporter.ts";
import { configOf } from "./run-config.ts";

/** What all of them take. */
export const STAGE_ARGS = {
  recipe: {
    type: "positional",
    required: false,
    description: "A built-in recipe, or the path of a configuration file; none with --data",
  },
  data: { type: "string", description: "Directory of the data set", valueHint: "DIR" },
  out: { type: "string", description: "Run directory (runs/NAME by default)", valueHint: "DIR" },
  seed: { type: "string", description: "One seed instead of the recipe's", valueHint: "N" },
  teacher: {
    type: "string",
    description: "A teacher that is there: model.json of a tfjs model, or an .onnx classifier",
    valueHint: "FILE",
  },
  engine: { type: "string", description: "tensorflow-gpu, tensorflow, wasm or auto", valueHint: "NAME" },
  set: { type: "string", description: "Change values of the configuration: a.b=1,c.d=[2,3]", valueHint: "PATH=VALUE" },
  json: { type: "boolean", description: "JSON lines instead of text; the result is the last" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

type StageArgs = { readonly [Name in keyof typeof STAGE_ARGS]?: string | boolean | undefined };

/** Makes the command that runs the pipeline up to a stage. */
export function stageCommand(name: string, until: Target, description: string): CommandDef<typeof STAGE_ARGS> {
  return defineCommand({
    meta: { name, description },
    args: STAGE_ARGS,
    run: ({ args }) => runStages(args, until),
  });
}

/** What a command that runs the pipeline shows at its end. */
export interface Shown {
  readonly json: unknown;
  readonly text: string;
  /** The exit status. */
  readonly status: number;
}

/** Runs the pipeline up to a stage, shows it, and returns the exit status: 1 when a check failed. */
export async function runStages(args: StageArgs, until: Target): Promise<number> {
  return withPipeline(args, async (options) => {
    const result = await runPipeline({ ...options, until });
    return {
      json: result.report ?? withoutBytes(result),
      text: describeResult(result, relative(process.cwd(), options.out) || "."),
      status: (result.checks ?? []).every(({ ok }) => ok) ? 0 : 1,
    };
  });
}

/** Does what runs the pipeline with what the command line says: events shown, Ctrl-C understood, the result at the end. */
export async function withPipeline(
  args: StageArgs,
  work: (options: Omit<PipelineOptions, "until">) => Promise<Shown>,
): Promise<number> {
  const text = (name: keyof StageArgs): string | undefined => args[name] as string | undefined;
  const config = await configOf({
    recipe: text("recipe"),
    data: text("data"),
    seed: text("seed"),
    teacher: text("teacher"),
    set: text("set"),
  });
  const engine = engineOf(text("engine"));
  const out = resolve(text("out") ?? `runs/${config.name}`);
  const abort = new AbortController();
  const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort());
  process.on("SIGINT", interrupt);
  const clock = (): number => performance.now();
  const [json, quiet] = [args.json === true, args.quiet === true];
  const reporter = createReporter({ json, quiet, stream: process.stdout, clock });
  try {
    const shown = await work({ config, out, engine, signal: abort.signal, clock, onEvent: reporter.event });
    reporter.close();
    if (json) process.stdout.write(`${JSON.stringify(shown.json)}\n`);
    else if (!quiet) process.stdout.write(shown.text);
    return shown.status;
  } catch (error) {
    reporter.close();
    throw isDistillateError(error) && error.code === "interrupted" ? withContinuation(error) : error;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** The very command line that goes on where the run stopped. */
function withContinuation(error: DistillateError): DistillateError {
  const words = process.argv
    .slice(2)
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return new DistillateError({
    code: error.code,
    message: error.message,
    hint: `Continue with: distillate ${words.join(" ")}`,
    cause: error,
  });
}

function withoutBytes({ trained, fp32, int8, checks }: PipelineResult): object {
  const file = (exported: typeof fp32 | typeof int8): object | undefined =>
    exported && {
      path: exported.path,
      bytes: exported.onnx.byteLength,
      sha256: exported.sha256,
      report: exported.report,
    };
  return {
    trained: trained.map(({ role, seed, directory, record, cached }) => ({
      role,
      seed,
      directory,
      cached,
      ...record.result,
    })),
    fp32: file(fp32),
    int8: file(int8),
    checks,
  };
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
