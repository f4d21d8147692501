import { relative, resolve } from "node:path";
import { type CommandDef, defineCommand } from "citty";
import { sweepText } from "../report/sweep-text.ts";
import { parseAxes } from "../sweep/axes.ts";
import { runSweep } from "../sweep/run-sweep.ts";
import { UsageError } from "../usage.ts";
import { STAGE_ARGS, TUNE_ARGS } from "./stage-args.ts";
import { runStages, withPipeline } from "./stage-command.ts";

const ARGS = {
  ...STAGE_ARGS,
  ...TUNE_ARGS,
  sweep: {
    type: "string",
    description: "Search over width, temperature, alpha and method: width=0.5,1,temperature=2,4",
    valueHint: "AXIS=VALUES",
  },
  budget: {
    type: "string",
    description: "What the search may cost, in whole trainings of the student (half of what training all would)",
    valueHint: "N",
  },
  every: { type: "boolean", description: "With --sweep: run every candidate to its end, to compare them" },
} as const;

/** `distillate run`: the whole pipeline; with `--sweep`, many times, to find what is worth it. */
export const run: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "run",
    description: "Run the whole pipeline: data, teacher, baseline, student, export, checks, report.",
  },
  args: ARGS,
  async run({ args }) {
    const { sweep, budget, every, ...stages } = args;
    if (sweep === undefined) {
      if (budget !== undefined || every) throw new UsageError("--budget and --every are for --sweep");
      return runStages(stages, "report");
    }
    const axes = parseAxes(sweep);
    const trainings = budget === undefined ? undefined : Number(budget);
    if (trainings !== undefined && !(trainings > 0)) {
      throw new UsageError(`--budget is ${budget}, expected a number above 0`);
    }
    return withPipeline(stages, async (options) => {
      const report = await runSweep({
        ...options,
        axes,
        every: every === true,
        ...(trainings !== undefined && { budget: trainings }),
      });
      const place = relative(process.cwd(), resolve(options.out)) || ".";
      return {
        json: report,
        text: `\n${sweepText(report)}\n${place}/sweep.html, sweep.json and sweep.md\n`,
        status: report.candidates.every(({ passed }) => passed !== false) ? 0 : 1,
      };
    });
  },
});
