import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type NamedRule, STOP_RULES, type StopRuleName } from "@distillate/bench";
import {
  type BenchReport,
  type Compared,
  compareInTurns,
  compareMarkdown,
  compareReports,
  compareText,
  DEFAULT_GATE,
  deviceMatrix,
  type Pair,
  parseGate,
  parseReport,
} from "@distillate/bench/node";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { inputsOfFile } from "../bench/bench-inputs.ts";
import { measureInTurns } from "../bench/measure-in-turns.ts";
import { createReporter } from "../ui/reporter.ts";
import { oneOf, UsageError, wholeNumber } from "../usage.ts";

const ARGS = {
  base: {
    type: "positional",
    required: true,
    description: "What was: a JSON file of `distillate bench`, or an .onnx file",
  },
  head: { type: "positional", required: true, description: "What is now, of the same kind" },
  "fail-on": {
    type: "string",
    default: DEFAULT_GATE,
    description: "By how much what may become worse; the exit status is 1 when a whole 95 % interval is past it",
    valueHint: "LIMITS",
  },
  matrix: {
    type: "boolean",
    description: "Print any number of JSON files, one of each device, as one table in Markdown",
  },
  markdown: {
    type: "string",
    description: "Write the comparison as Markdown, for a pull request",
    valueHint: "FILE.md",
  },
  targets: {
    type: "string",
    default: "node",
    description: "For .onnx files: where to run them in turns",
    valueHint: "LIST",
  },
  threads: { type: "string", default: "1", description: "For .onnx files: numbers of threads", valueHint: "1,2" },
  rule: {
    type: "string",
    default: "rapid",
    description: "For .onnx files: minute, rapid, quick or normal",
    valueHint: "NAME",
  },
  shape: { type: "string", description: "For .onnx files: shape of an open input", valueHint: "NAME=SHAPE" },
  seed: { type: "string", default: "1", description: "Of turns and intervals", valueHint: "N" },
  json: { type: "boolean", description: "Print the comparison as JSON" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate compare`: is the head slower, larger or worse than the base? */
export const compare: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "compare",
    description:
      "Compare two benchmarks, or two .onnx files measured in turns; exit with 1 when the head is surely worse.",
  },
  args: ARGS,
  async run({ args }) {
    if (args.matrix) {
      // The first two are named, all are in `_`.
      const paths = args._.length > 0 ? args._ : [args.base, args.head];
      const reports = await Promise.all(
        paths.map(async (path) => ({ device: basename(path, ".json"), report: await readReport(path) })),
      );
      const table = deviceMatrix(reports);
      if (args.markdown !== undefined) await writeFileAtomic(args.markdown, table);
      if (!args.quiet) process.stdout.write(table);
      return 0;
    }
    const limits = parseGate(args["fail-on"]);
    const files = [args.base, args.head].filter((path) => path.endsWith(".onnx")).length;
    if (files === 1) throw new UsageError("compare takes two JSON files, or two .onnx files; found one of each");
    let compared: Compared;
    if (files === 2) {
      compared = await compareInTurns(async (rule, seed) => pairsOf(await measureBoth(args, rule, seed)), {
        rule: STOP_RULES[oneOf("rule", args.rule, Object.keys(STOP_RULES)) as StopRuleName],
        seed: wholeNumber("seed", args.seed),
        limits,
      });
    } else {
      const [base, head] = await Promise.all([args.base, args.head].map(readReport));
      compared = compareReports(base!, head!, limits);
    }
    if (args.markdown !== undefined) await writeFileAtomic(args.markdown, compareMarkdown(compared));
    if (!args.quiet) process.stdout.write(`${args.json ? JSON.stringify(compared) : compareText(compared)}\n`);
    return compared.failed ? 1 : 0;
  },
});

/** Base and head of each runtime of one measurement. */
function pairsOf({ targets }: BenchReport): readonly Pair[] {
  const byId = new Map(targets.map((target) => [target.id, target]));
  return targets
    .filter(({ model }) => model === "base")
    .map((base) => ({
      name: base.id.replace(/^base, /, ""),
      base,
      head: byId.get(base.id.replace(/^base/, "head"))!,
    }));
}

async function readReport(path: string): Promise<BenchReport> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new DistillateError({
      code: "bench-unreadable",
      message: `${path} cannot be read`,
      hint: "Give a file that `distillate bench --output FILE.json` wrote.",
      cause,
    });
  });
  return parseReport(text, path);
}

/** Both files in the same rounds of one measurement: the only comparison that a busy machine cannot spoil. */
async function measureBoth(
  args: {
    readonly [Name in "base" | "head" | "targets" | "threads"]: string;
  } & {
    readonly shape?: string | undefined;
    readonly quiet?: boolean | undefined;
    readonly json?: boolean | undefined;
  },
  rule: NamedRule,
  seed: number,
): Promise<BenchReport> {
  const inputs = await inputsOfFile(args.base, args.shape, seed);
  const files = (["base", "head"] as const).map((model) => ({ model, path: args[model] }));
  const reporter = createReporter({
    json: false,
    quiet: args.quiet === true || args.json === true,
    stream: process.stdout,
    clock: () => performance.now(),
  });
  try {
    return await measureInTurns(`${args.base} against ${args.head}`, files, inputs, {
      targets: args.targets,
      threads: args.threads,
      rule,
      seed,
      signal: new AbortController().signal,
      onEvent: reporter.event,
    });
  } finally {
    reporter.close();
  }
}
