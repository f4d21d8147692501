/**
 * `pnpm bench:train [--engine wasm|tensorflow|all] [--against DIR] [--seconds N] [--rounds N] [--json FILE]`
 *
 * Training throughput of each engine that is there: batch 64, Adam, forward, backward and update. Every measurement is a
 * process of its own; rounds are interleaved, so that what else the machine does strikes all alike. `--against` measures a
 * directory of prototype kernels in the same rounds and prints ours / theirs.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { BENCH_MODELS, type BenchModelName } from "./models.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "all" },
    against: { type: "string" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});

interface Measured {
  readonly imagesPerSecond: number;
  readonly steps: number;
  readonly parameters: number;
  readonly version: string;
}

interface Row {
  readonly engine: string;
  readonly model: BenchModelName;
  readonly version: string;
  readonly parameters: number;
  /** Images a second, a round each. */
  readonly rounds: number[];
}

const run = promisify(execFile);
const script = fileURLToPath(new URL("./measure.ts", import.meta.url));

async function measure(engine: string, model: BenchModelName): Promise<Measured> {
  const prototype = engine === "prototype" ? [values.against!] : [];
  const parameters = [engine === "prototype" ? "wasm" : engine, model, values.seconds, ...prototype];
  const { stdout } = await run(process.execPath, [...process.execArgv, script, ...parameters]);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const names = Object.keys(BENCH_MODELS) as BenchModelName[];
const engines = values.engine === "all" ? ["tensorflow", "wasm"] : [values.engine];
if (values.against) engines.push("prototype");
const rows = new Map<string, Row>();
const refused: { readonly engine: string; readonly reason: string }[] = [];

for (let round = 0; round < Number(values.rounds); round++) {
  for (const model of names) {
    for (const engine of engines.filter((name) => !refused.some((refusal) => refusal.engine === name))) {
      try {
        const { imagesPerSecond, version, parameters } = await measure(engine, model);
        const key = `${engine} ${model}`;
        if (!rows.has(key)) rows.set(key, { engine, model, version, parameters, rounds: [] });
        rows.get(key)!.rounds.push(imagesPerSecond);
      } catch (error) {
        if (engine !== "tensorflow" || values.engine === "tensorflow") throw error;
        const text = String((error as { stderr?: string }).stderr ?? error);
        refused.push({ engine, reason: /DistillateError: (.*)/.exec(text)?.[1] ?? text.slice(0, 300) });
      }
    }
  }
}

const results = [...rows.values()].map(({ engine, model, version, parameters, rounds }) => {
  const imagesPerSecond = median(rounds);
  const theirs = rows.get(`prototype ${model}`);
  return {
    engine,
    version,
    model,
    parameters,
    imagesPerSecond: Math.round(imagesPerSecond),
    lowest: Math.round(Math.min(...rounds)),
    highest: Math.round(Math.max(...rounds)),
    ...(theirs &&
      engine === "wasm" && { againstPrototype: Number((imagesPerSecond / median(theirs.rounds)).toFixed(3)) }),
  };
});

console.table(results);
for (const { engine, reason } of refused) console.log(`${engine} not measured: ${reason}`);
if (values.json) {
  const against = values.against ? " --against DIR_OF_PROTOTYPE" : "";
  const report = {
    command: `pnpm bench:train --engine ${values.engine}${against} --seconds ${values.seconds} --rounds ${values.rounds} --json FILE`,
    batch: 64,
    optimizer: "adam",
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version },
    refused,
    results,
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
