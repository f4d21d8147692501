/** The commands that run the pipeline: `run` to its end, the others up to their stage, in the same run directory. */
import { join, relative, resolve } from "node:path";
import { DistillateError, isDistillateError } from "@distillate/bundle";
import { ENGINE_NAMES, type EngineName } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { type PipelineOptions, type PipelineResult, runPipeline, type Target } from "../pipeline/pipeline.ts";
import { profileRun } from "../pipeline/profile-run.ts";
import { describeProfile } from "../report/profile-lines.ts";
import { describeResult } from "../report/result-lines.ts";
import { createReporter } from "../ui/reporter.ts";
import { UsageError } from "../usage.ts";
import { isBundle } from "./model-files.ts";
import { configOf } from "./run-config.ts";
import { STAGE_ARGS, TUNE_ARGS } from "./stage-args.ts";

/** More threads than this are not lent. */
const MOST_WORKERS = 256;

type StageArgs = { readonly [Name in keyof (typeof STAGE_ARGS & typeof TUNE_ARGS)]?: string | boolean | undefined };

/** Makes the command that runs the pipeline up to a stage. */
export function stageCommand(name: string, until: Target, description: string): CommandDef<typeof STAGE_ARGS> {
  return defineCommand({
    meta: { name, description },
    // Only a whole run ends in a bundle.
    args: { ...STAGE_ARGS, ...(until === "report" && TUNE_ARGS) },
    run: ({ args }) => runStages(args, until),
  });
}

/** What a command that runs the pipeline shows at its end. */
export interface Shown {
  readonly json: unknown;
  readonly text: string;
  /** The exit status. */
  readonly status: number;
  /** What follows once that is shown. */
  readonly after?: (how: { readonly json: boolean; readonly quiet: boolean }) => Promise<void>;
}

/** Runs the pipeline up to a stage, shows it, and returns the exit status: 1 when a check failed. */
export async function runStages(args: StageArgs, until: Target): Promise<number> {
  return withPipeline(args, async (options) => {
    const { config, out, engine } = options;
    if (args.profile === true) {
      const profile = await profileRun(config, engine, until === "train");
      return { json: profile, text: describeProfile(profile), status: 0 };
    }
    const result = await runPipeline({ ...options, until });
    return {
      json: result.report ?? withoutBytes(result),
      text: describeResult(result, relative(process.cwd(), out) || "."),
      status: (result.checks ?? []).every(({ ok }) => ok) ? 0 : 1,
      ...(args.tune === true && {
        async after({ json, quiet }) {
          if (!(await isBundle(join(out, "bundle")))) return;
          // Loaded when it is asked for: it brings the benchmark with it.
          const { tune } = await import("./tune.ts");
          const [seed] = config.seeds;
          await tune(join(out, "bundle"), { allowedDrop: config.tolerance.int8Drop, seed: seed!, json, quiet });
        },
      }),
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
  const workers = workersOf(text("workers"));
  const out = resolve(text("out") ?? `runs/${config.name}`);
  const abort = new AbortController();
  const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort());
  process.on("SIGINT", interrupt);
  const clock = (): number => performance.now();
  const [json, quiet] = [args.json === true, args.quiet === true];
  const reporter = createReporter({ json, quiet, stream: process.stdout, clock });
  try {
    const shown = await work({
      config,
      out,
      engine,
      ...(workers && { workers }),
      signal: abort.signal,
      clock,
      onEvent: reporter.event,
    });
    reporter.close();
    if (json) process.stdout.write(`${JSON.stringify(shown.json)}\n`);
    else if (!quiet) process.stdout.write(shown.text);
    await shown.after?.({ json, quiet });
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

function workersOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_WORKERS) return count;
  throw new UsageError(`--workers is ${text}, expected a whole number from 1 to ${MOST_WORKERS}`);
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
