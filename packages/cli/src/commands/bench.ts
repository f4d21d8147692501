import { basename, resolve } from "node:path";
import { STOP_RULES, type StopRuleName } from "@distillate/bench";
import {
  adviceOf,
  type BenchReport,
  csvReport,
  footnotes,
  formatReport,
  htmlReport,
  markdownReport,
  runBench,
  SCENARIOS,
  type Scenario,
  textTable,
} from "@distillate/bench/node";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { type BenchInputs, inputsOfBundle, inputsOfFile } from "../bench/bench-inputs.ts";
import {
  DEFAULT_TARGETS,
  DEVICE_TARGETS,
  type ModelFile,
  nameOfFile,
  networksBeside,
  targetsOf,
  teacherMissing,
} from "../bench/bench-targets.ts";
import { addressesOf } from "../serve/addresses.ts";
import { createReporter } from "../ui/reporter.ts";
import { oneOf, portOf, UsageError, wholeNumber } from "../usage.ts";
import { TOOL_VERSION } from "../version.ts";
import { isBundle, openBundle } from "./model-files.ts";

const ARGS = {
  model: { type: "positional", required: true, description: "A bundle (runs/NAME/bundle) or an .onnx file" },
  output: { type: "string", description: "Write the results as JSON, raw samples and all", valueHint: "FILE.json" },
  html: { type: "string", description: "Write the results as a page with plots", valueHint: "FILE.html" },
  markdown: { type: "string", description: "Write the results as Markdown", valueHint: "FILE.md" },
  csv: { type: "string", description: "Write the results as CSV, a line a target", valueHint: "FILE.csv" },
  targets: {
    type: "string",
    description: `Where to run: node, wasm (in Node), chromium, webgpu, tfjs (teacher and student of the run), teacher (it alone), device, device-webgpu; ${DEFAULT_TARGETS} by default`,
    valueHint: "LIST",
  },
  threads: { type: "string", default: "1", description: "Numbers of threads", valueHint: "1,2" },
  rule: {
    type: "string",
    default: "minute",
    description:
      "How long for each target: minute (64 runs and a share of 20 s), rapid (64, 6 s), quick (128, 10 s), normal (1024, 60 s)",
    valueHint: "NAME",
  },
  scenarios: {
    type: "string",
    default: "offline,cold-start,profile",
    description: `Beside single-stream latency: ${SCENARIOS.join(", ")}`,
    valueHint: "LIST",
  },
  fps: { type: "string", default: "30", description: "Frames a second of the scenario paced", valueHint: "N" },
  minutes: { type: "string", default: "10", description: "Length of the scenario sustained", valueHint: "N" },
  samples: { type: "string", default: "1000", description: "Labelled samples to measure accuracy on", valueHint: "N" },
  data: {
    type: "string",
    description: "Directory of the labelled data, where the bundle's is not known",
    valueHint: "DIR",
  },
  set: { type: "string", description: "Change values of the data's configuration", valueHint: "PATH=VALUE" },
  shape: {
    type: "string",
    description: "Shape of an .onnx file's open input: NAME=1,3,224,224",
    valueHint: "NAME=SHAPE",
  },
  seed: {
    type: "string",
    default: "1",
    description: "Of the order of turns, the intervals and the noise",
    valueHint: "N",
  },
  "software-webgpu": {
    type: "boolean",
    description: "Run WebGPU on a software adapter: it works, it says nothing of speed",
  },
  serve: {
    type: "boolean",
    description: "Measure on a phone or another device: shows a QR code of the page that it opens",
  },
  host: { type: "string", default: "0.0.0.0", description: "With --serve: address to listen on", valueHint: "ADDRESS" },
  port: { type: "string", default: "5180", description: "With --serve: port", valueHint: "N" },
  json: { type: "boolean", description: "JSON lines instead of text; the result is the last" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate bench`: latency, size, memory and accuracy of a bundle or a file, side by side. */
export const bench: CommandDef<typeof ARGS> = defineCommand({
  meta: {
    name: "bench",
    description: "Measure a bundle or an .onnx file: speed, size, memory and accuracy, side by side.",
  },
  args: ARGS,
  async run({ args }) {
    const path = args.model;
    const seed = wholeNumber("seed", args.seed);
    const rule = STOP_RULES[oneOf("rule", args.rule, Object.keys(STOP_RULES)) as StopRuleName];
    const scenarios = args.scenarios
      .split(",")
      .filter(Boolean)
      .map((name) => oneOf("scenarios", name, SCENARIOS) as Scenario);
    const { files, networks, subject, inputs } = await openSubject(path, { ...args, seed });
    const names = args.targets ?? (args.serve ? DEVICE_TARGETS : DEFAULT_TARGETS);
    const missing = /\b(teacher|tfjs)\b/.test(names) ? await teacherMissing(path) : undefined;
    const notes = [
      ...(inputs.note === undefined ? [] : [{ code: "inputs", message: inputs.note }]),
      ...(missing === undefined ? [] : [{ code: "teacher-missing", message: missing }]),
    ];
    const targets = targetsOf(files, networks, { ...args, targets: names });
    if (targets.length === 0) throw new UsageError(`--targets ${names} leaves nothing to measure`);
    const port = portOf(args.port);
    const { host } = args;
    const abort = new AbortController();
    const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort(interrupted()));
    process.on("SIGINT", interrupt);
    const [json, quiet] = [args.json === true, args.quiet === true];
    const reporter = createReporter({ json, quiet, stream: process.stdout, clock: () => performance.now() });
    try {
      const report = await runBench({
        subject,
        tool: `distillate ${TOOL_VERSION}`,
        targets,
        inputs: inputs.inputs,
        inputSource: inputs.source,
        labels: inputs.labels,
        reference: targets.find(({ model }) => model === "teacher")?.id,
        rule,
        seed,
        scenarios,
        framesPerSecond: wholeNumber("fps", args.fps),
        sustainedSeconds: 60 * wholeNumber("minutes", args.minutes),
        softwareWebgpu: args["software-webgpu"] === true,
        webgpuOnHardwareOnly: args.targets === undefined && args["software-webgpu"] !== true,
        device: args.serve
          ? { host, port, onPage: (page) => process.stdout.write(invitation(host, page, { json, quiet })) }
          : undefined,
        notes,
        signal: abort.signal,
        now: () => new Date(),
        onEvent(event) {
          if (event.kind === "phase") reporter.event({ kind: "stage-start", stage: event.what });
          else if (event.kind === "problem")
            reporter.event({ kind: "note", code: "target-failed", message: `${event.target}: ${event.message}` });
          else reporter.event(event);
        },
        onReport: async (sofar) => {
          if (args.output !== undefined) await writeFileAtomic(args.output, formatReport(sofar));
        },
      });
      reporter.close();
      if (args.html !== undefined) await writeFileAtomic(args.html, htmlReport(report));
      if (args.markdown !== undefined) await writeFileAtomic(args.markdown, markdownReport(report));
      if (args.csv !== undefined) await writeFileAtomic(args.csv, csvReport(report));
      if (json) process.stdout.write(formatReport(report));
      else if (!quiet) process.stdout.write(describe(report));
      return report.targets.some(({ problem }) => problem === undefined) ? 0 : 1;
    } finally {
      reporter.close();
      process.off("SIGINT", interrupt);
    }
  },
});

interface Subject {
  readonly files: readonly ModelFile[];
  readonly networks: readonly ModelFile[];
  readonly subject: string;
  readonly inputs: BenchInputs;
}

async function openSubject(
  path: string,
  options: {
    readonly samples: string;
    readonly data?: string | undefined;
    readonly set?: string | undefined;
    readonly shape?: string | undefined;
    readonly seed: number;
  },
): Promise<Subject> {
  if (path.endsWith(".onnx")) {
    const model = nameOfFile(path);
    const inputs = await inputsOfFile(path, options.shape, options.seed);
    return { files: [{ model, path }], networks: [], subject: basename(path), inputs };
  }
  if (!(await isBundle(path)))
    throw new UsageError(`${path} is neither an .onnx file nor a bundle (a directory with manifest.json)`);
  const bundle = await openBundle(path);
  const { manifest } = bundle;
  const samples = wholeNumber("samples", options.samples);
  return {
    files: manifest.variants.map(({ id, file }) => ({ model: id, path: resolve(path, file.path) })),
    networks: await networksBeside(path, manifest.provenance.seed),
    subject: `${manifest.id} ${manifest.semver}`,
    inputs: await inputsOfBundle(path, bundle, { ...options, samples }),
  };
}

function describe(report: BenchReport): string {
  const lines = [textTable(report.targets), "", ...adviceOf(report), "", ...footnotes(report)];
  return `\n${lines.join("\n")}\n`;
}

/** Where the device finds its page. The token is in the fragment, which no server on the way gets to see. */
function invitation(
  host: string,
  { port, token }: { readonly port: number; readonly token: string },
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
): string {
  const addresses = addressesOf(host, port).map((address) => `${address}#${token}`);
  if (json) return `${JSON.stringify({ kind: "device-page", addresses })}\n`;
  const outside = addresses.at(-1)!;
  if (quiet) return `${outside}\n`;
  return `${[
    "Open this page on the device, in a network that it shares with this computer:",
    "",
    renderUnicodeCompact(outside),
    "",
    ...addresses.map((address) => `  ${address}`),
    "",
    `Over a tunnel, put #${token} behind its address. Threads and WebGPU need https, which a tunnel gives.`,
    "The link is good for one device. Ctrl-C ends it.",
  ].join("\n")}\n`;
}

function interrupted(): DistillateError {
  return new DistillateError({
    code: "interrupted",
    message: "the benchmark was interrupted",
    hint: "What was measured until then is in the file of --output.",
  });
}
