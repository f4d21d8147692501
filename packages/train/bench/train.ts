/**
 * `pnpm bench:train [--engine NAME] [--workers N] [--peers] [--against DIR] [--model NAME] [--seconds N] [--rounds N] [--json] [--report FILE]`
 *
 * Training throughput of each engine that is there: batch 64, Adam, forward, backward and update. Each is a process of its own, and
 * they take turns of `--seconds`, in another order each round, so that what else the machine does strikes all alike: many short
 * rounds are worth more than a few long ones. They begin anew three times in a run, peers for each turn. `--engine` is `wasm`,
 * `tensorflow`, `tensorflow-eager` (without graphs), `tensorflow-bfloat16` (what convolutions multiply in), `tensorflow-fit` (whole
 * epochs with augmentation and validation), several of them with commas, or `all`; `--workers 2` measures wasm with two threads
 * beside wasm with one, and beside two trainings at once (`wasm-apart`): what the cores give where nothing is divided; `--peers`
 * adds Keras and PyTorch where a Python has them; `--against` measures a directory of prototype kernels in the same rounds.
 * `--json` prints a line of JSON for each row.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { apart, type Contestant, type Entrant, FIT, type Measured, ours, peer } from "./contestants.ts";
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

interface Row {
  readonly engine: string;
  readonly model: BenchModelName;
  readonly version: string;
  readonly parameters: number;
  readonly rounds: Measured[];
}

const APART = "wasm-apart";
/**
 * Times that everybody begins anew, after all nets had a part of their rounds: where memory lies and what V8 makes of the code is luck,
 * and a virtual machine's neighbours may be busy for minutes.
 */
const PASSES = 3;

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const models = values.model ? [values.model as BenchModelName] : (Object.keys(BENCH_MODELS) as BenchModelName[]);
const engines = values.engine === "all" ? ["tensorflow", "wasm"] : values.engine.split(",");
const { seconds } = values;
const entrants = new Map<string, Entrant>(engines.map((engine) => [engine, ours(engine, seconds)]));
if (Number(values.workers) > 1 && entrants.has("wasm")) {
  const several = `wasm-x${values.workers}`;
  entrants.set(several, ours(several, seconds));
  entrants.set(APART, apart("wasm", Number(values.workers), seconds));
}
if (values.against) entrants.set("prototype", ours("wasm", seconds, values.against));
if (values.peers) {
  entrants.set("keras", peer("tensorflow", "train_keras.py", seconds));
  entrants.set("pytorch", peer("torch", "train_torch.py", seconds));
}
const rows = new Map<string, Row>();
const refused = new Map<string, string>();

/** What one does, or why it can't, which is an error only where it was asked for by name. */
async function unlessRefused<Result>(engine: string, does: () => Promise<Result>): Promise<Result | undefined> {
  if (refused.has(engine)) return undefined;
  try {
    return await does();
  } catch (error) {
    if (values.engine !== "all" && engines.includes(engine)) throw error;
    const text = String((error as { stderr?: string }).stderr || (error as Error).message);
    refused.set(engine, /DistillateError: (.*)/.exec(text)?.[1] ?? text.slice(-300));
    return undefined;
  }
}

/** Takes so many rounds of a net. */
async function race(model: BenchModelName, from: number, to: number): Promise<void> {
  const contestants: (readonly [engine: string, Contestant])[] = [];
  // One after the other: they are warm when they have begun.
  for (const [engine, enter] of entrants) {
    const contestant = await unlessRefused(engine, () => enter(model));
    if (contestant) contestants.push([engine, contestant]);
  }
  for (let round = from; round < to; round++) {
    const first = round % contestants.length;
    for (const [engine, contestant] of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      const measured = await unlessRefused(engine, () => contestant.measure());
      if (!measured) continue;
      const { version, parameters } = measured;
      const key = `${engine} ${model}`;
      if (!rows.has(key)) rows.set(key, { engine, model, version, parameters, rounds: [] });
      rows.get(key)!.rounds.push(measured);
    }
  }
  for (const [, contestant] of contestants) contestant.end();
}

const end = Number(values.rounds);
const roundsOfPass = Math.ceil(end / PASSES);
for (let from = 0; from < end; from += roundsOfPass) {
  for (const model of models) await race(model, from, Math.min(end, from + roundsOfPass));
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
