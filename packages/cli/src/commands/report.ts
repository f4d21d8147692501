import { writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { mergeReports } from "../report/merged-report.ts";
import { mergedMarkdown, mergedPage, mergedText } from "../report/merged-text.ts";
import { readReport } from "../report/read-report.ts";

const ARGS = {
  run: {
    type: "positional",
    required: true,
    description: "Directories of finished runs, or their report.json; the first is what the others are compared with",
  },
  out: { type: "string", alias: "o", description: "Write NAME.json, NAME.md and NAME.html", valueHint: "NAME" },
  title: { type: "string", default: "Runs compared", description: "What the page is called", valueHint: "TEXT" },
  json: { type: "boolean", description: "Print the comparison as JSON" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate report`: several runs in one table. */
export const report: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "report",
    description: "Merge the reports of runs into one table, with paired differences where seeds agree.",
  },
  args: ARGS,
  async run({ args }) {
    const merged = mergeReports(await Promise.all(args._.map(readReport)));
    if (args.out !== undefined) {
      await writeFileAtomic(`${args.out}.json`, `${JSON.stringify(merged, null, 2)}\n`);
      await writeFileAtomic(`${args.out}.md`, mergedMarkdown(merged, args.title));
      await writeFileAtomic(`${args.out}.html`, mergedPage(merged, args.title));
    }
    if (!args.quiet) process.stdout.write(args.json ? `${JSON.stringify(merged)}\n` : mergedText(merged));
    return 0;
  },
});
