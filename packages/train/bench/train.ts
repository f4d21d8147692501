/**
 * `pnpm bench:train [--engine NAME] [--workers N] [--peers] [--against DIR] [--model NAME] [--seconds N] [--rounds N] [--json] [--report FILE]`
 *
 * Training throughput of each engine that is there: batch 64, Adam, forward, backward and update. Every measurement is a
 * process of its own; rounds are interleaved, so that what else the machine does strikes all alike. `--engine` is `wasm`,
 * `tensorflow`, `tensorflow-eager` (without graphs), `tensorflow-bfloat16` (what convolutions multiply in), `tensorflow-fit` (whole
 * epochs with augmentation and validation), several of them with commas, or `all`; `--workers 2` measures wasm with two threads
 * beside wasm with one, and beside two trainings at once (`wasm-apart`): what the cores give where nothing is divided; `--peers`
 * adds Keras and PyTorch where a Python has them; `--against` measures a directory of prototype kernels in the same rounds.
 * `--json` prints a line of JSON for each row.
 */
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { BENCH_MODELS, type BenchModelName } from "./models.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "all" },
    workers: { type: "string", default: "1" },
    peers: { type: "boolean", default: false },
    against: { type: "string" },
    model: { type: "string" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    report: { type: "string" },
  },
});

interface Measured {
  readonly imagesPerSecond: number;
  readonly meanImagesPerSecond?: number;
  readonly cpuMilliseconds: number;
  readonly steps: number;
  readonly parameters: number;
  readonly megabytes: number;
  readonly version: string;
}

interface Row {
  readonly engine: string;
  readonly model: BenchModelName;
  readonly version: string;
  readonly parameters: number;
  readonly rounds: Measured[];
}

/** Measures one net for so many seconds; rejects where it cannot. */
type Contestant = (model: BenchModelName) => Promise<Measured>;

const run = promisify(execFile);
const scripts = { step: "./measure.ts", fit: "./fit.ts" } as const;
/** After an engine's name: a whole training, data and all, instead of its bare step. */
const FIT = "-fit";
const APART = "wasm-apart";
const peersAt = new URL("../../../tests/peers/", import.meta.url);

async function measure(file: string, args: readonly string[]): Promise<Measured> {
  const { stdout } = await run(file, args);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured;
}

function ours(engine: string, ...more: readonly string[]): Contestant {
  const script = fileURLToPath(new URL(scripts[engine.endsWith(FIT) ? "fit" : "step"], import.meta.url));
  return (model) => measure(process.execPath, [...process.execArgv, script, engine, model, values.seconds, ...more]);
}

/** So many trainings at once, of one thread each: their images together. */
function apart(engine: string, count: number): Contestant {
  return async (model) => {
    const all = await Promise.all(Array.from({ length: count }, () => ours(engine)(model)));
    const sum = (of: (measured: Measured) => number): number => all.reduce((total, each) => total + of(each), 0);
    return {
      ...all[0]!,
      imagesPerSecond: sum(({ imagesPerSecond }) => imagesPerSecond),
      cpuMilliseconds: sum(({ cpuMilliseconds }) => cpuMilliseconds) / count,
      megabytes: sum(({ megabytes }) => megabytes),
    };
  };
}

function peer(module: string, file: string): Contestant {
  const pythons = [process.env.DISTILLATE_PYTHON, fileURLToPath(new URL(".venv/bin/python", peersAt)), "python3"];
  const python = [...pythons, "/usr/bin/python3"].find((path) => path !== undefined && hasModule(path, module));
  if (python === undefined) return () => Promise.reject(new Error(`no Python here has ${module}`));
  return (model) => measure(python, [fileURLToPath(new URL(file, peersAt)), model, values.seconds]);
}

function hasModule(python: string, module: string): boolean {
  try {
    execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    // This one is not there, or hasn't got it.
    return false;
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const models = values.model ? [values.model as BenchModelName] : (Object.keys(BENCH_MODELS) as BenchModelName[]);
const engines = values.engine === "all" ? ["tensorflow", "wasm"] : values.engine.split(",");
const contestants = new Map<string, Contestant>(engines.map((engine) => [engine, ours(engine)]));
if (Number(values.workers) > 1 && contestants.has("wasm")) {
  const several = `wasm-x${values.workers}`;
  contestants.set(several, ours(several));
  contestants.set(APART, apart("wasm", Number(values.workers)));
}
if (values.against) contestants.set("prototype", ours("wasm", values.against));
if (values.peers) {
  contestants.set("keras", peer("tensorflow", "train_keras.py"));
  contestants.set("pytorch", peer("torch", "train_torch.py"));
}
const rows = new Map<string, Row>();
const refused = new Map<string, string>();

for (let round = 0; round < Number(values.rounds); round++) {
  for (const model of models) {
    for (const [engine, contestant] of contestants) {
      if (refused.has(engine)) continue;
      try {
        const measured = await contestant(model);
        const { version, parameters } = measured;
        const key = `${engine} ${model}`;
        if (!rows.has(key)) rows.set(key, { engine, model, version, parameters, rounds: [] });
        rows.get(key)!.rounds.push(measured);
      } catch (error) {
        if (values.engine !== "all" && engines.includes(engine)) throw error;
        const text = String((error as { stderr?: string }).stderr || (error as Error).message);
        refused.set(engine, /DistillateError: (.*)/.exec(text)?.[1] ?? text.slice(-300));
      }
    }
  }
}

const results = [...rows.values()].map(({ engine, model, version, parameters, rounds }) => {
  const rates = rounds.map(({ imagesPerSecond }) => imagesPerSecond);
  // Rounds are compared one by one: each pair was measured in one moment.
  const bare = engine.endsWith(FIT) ? [engine.slice(0, -FIT.length)] : [];
  const against = Object.fromEntries(
    ["keras", "pytorch", "prototype", "wasm", APART, ...bare].flatMap((other) => {
      const theirs = rows.get(`${other} ${model}`)?.rounds;
      if (theirs === undefined || other === engine) return [];
      // A whole training has no median step: it is held against the mean of the bare ones.
      const rateOf = (round: Measured): number =>
        (bare.includes(other) ? round.meanImagesPerSecond : undefined) ?? round.imagesPerSecond;
      const ratios = rates.flatMap((rate, i) => (theirs[i] ? [rate / rateOf(theirs[i])] : []));
      return [[other, Number(median(ratios).toFixed(3))]];
    }),
  );
  return {
    engine,
    version,
    model,
    parameters,
    imagesPerSecond: Math.round(median(rates)),
    lowest: Math.round(Math.min(...rates)),
    highest: Math.round(Math.max(...rates)),
    cpuMilliseconds: Number(median(rounds.map((each) => each.cpuMilliseconds)).toFixed(3)),
    // Peers do not tell.
    ...(rounds[0]!.megabytes && { megabytes: Math.round(median(rounds.map(({ megabytes }) => megabytes))) }),
    ...(Object.keys(against).length > 0 && { against }),
  };
});

if (values.json) for (const result of results) console.log(JSON.stringify(result));
else {
  console.table(
    results.map(({ version: _version, against, ...row }) => ({
      ...row,
      ...Object.fromEntries(Object.entries(against ?? {}).map(([other, ratio]) => [`/ ${other}`, ratio])),
    })),
  );
  for (const [engine, reason] of refused) console.log(`${engine} not measured: ${reason}`);
}
if (values.report) {
  const flags = [
    `--engine ${values.engine}`,
    Number(values.workers) > 1 && `--workers ${values.workers}`,
    values.peers && "--peers",
    values.against && "--against DIR_OF_PROTOTYPE",
  ];
  const report = {
    command: `pnpm bench:train ${flags.filter(Boolean).join(" ")} --seconds ${values.seconds} --rounds ${values.rounds} --report FILE`,
    batch: 64,
    optimizer: "adam",
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version },
    refused: [...refused].map(([engine, reason]) => ({ engine, reason })),
    results,
  };
  writeFileSync(values.report, `${JSON.stringify(report, null, 2)}\n`);
}
