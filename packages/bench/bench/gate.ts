/**
 * `pnpm bench:gate FILE.onnx [--pairs 20] [--rule rapid] [--json FILE]`
 *
 * How far the gate can be trusted: a file compared with itself must not be flagged, the same file made a tenth slower must be.
 * Both at the default limits. Prints one line a comparison and the counts; the input is noise, its shape must be fixed but for
 * the batch.
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { InferenceSession } from "onnxruntime-node";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Interval } from "../src/bootstrap.ts";
import {
  compareInTurns,
  DEFAULT_GATE,
  LATENCY_ALONE,
  type Pair,
  parseGate,
  runBench,
  type TargetReport,
} from "../src/node/index.ts";
import { type NamedRule, STOP_RULES, type StopRuleName } from "../src/stop-rule.ts";
import type { InputSet, TargetSpec } from "../src/target.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: "string", default: "20" },
    rule: { type: "string", default: "rapid" },
    json: { type: "string" },
  },
});
const [file] = positionals;
if (file === undefined) throw new Error("give an .onnx file");
const source = resolve(file);
const SLOWDOWN = 0.1;
const SLOWED = new URL("./slowed-target.ts", import.meta.url).href;

async function noiseFor(path: string): Promise<InputSet> {
  const session = await InferenceSession.create(path);
  const tensors = session.inputMetadata.map((input) => {
    if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
    const row = input.shape.slice(1).map(Number);
    const random = xoroshiro128plus(1);
    const length = 8 * row.reduce((product, side) => product * side, 1);
    const data = Float32Array.from({ length }, () => (random.next() >>> 0) / 2 ** 32);
    return { name: input.name, dtype: "float32" as const, row, data };
  });
  await session.release();
  return { samples: 8, tensors };
}

const inputs = await noiseFor(source);
const limits = parseGate(DEFAULT_GATE);
const spec = (id: string, runtime: string): TargetSpec => ({
  id,
  model: id,
  runtime,
  place: "node",
  threads: 1,
  source,
});

interface Verdict {
  readonly seed: number;
  readonly failed: boolean;
  readonly invalid: boolean;
  /** Two where the first looked worse than the limit. */
  readonly measurements: number;
  readonly p50: Interval;
  readonly p90: Interval;
}

/** One comparison as `distillate compare` makes it, both sides in the same module so that the slowdown is all that differs. */
async function compare(seed: number, slowed: boolean): Promise<Verdict> {
  process.env.DISTILLATE_SLOWDOWN = String(SLOWDOWN);
  let measurements = 0;
  let invalid = false;
  const measure = async (rule: NamedRule, seed: number): Promise<readonly Pair[]> => {
    const { targets } = await runBench({
      subject: source,
      tool: "gate",
      targets: [spec("base", "onnxruntime-node"), spec("head", slowed ? SLOWED : "onnxruntime-node")],
      inputs,
      inputSource: "noise",
      rule: { ...rule, coldStarts: 0 },
      seed,
      ...LATENCY_ALONE,
      signal: new AbortController().signal,
      now: () => new Date(),
      onEvent: () => undefined,
      onReport: async () => undefined,
    });
    measurements++;
    invalid = targets.some(({ latency }) => latency?.invalid !== undefined);
    // What an unsteady machine made INVALID is judged all the same: the counts are to be about the intervals.
    const [base, head] = targets.map(
      ({ latency, ...rest }): TargetReport => ({ ...rest, latency: { ...latency!, invalid: undefined } }),
    ) as [TargetReport, TargetReport];
    return [{ name: "file", base, head }];
  };
  // Far apart: a second measurement takes the next seed.
  const rule = STOP_RULES[values.rule as StopRuleName];
  const { failed, comparisons } = await compareInTurns(measure, { rule, seed: 10 * seed, limits });
  const changeOf = (name: "p50" | "p90"): Interval => comparisons.find(({ metric }) => metric === name)!.change;
  return { seed, failed, invalid, measurements, p50: changeOf("p50"), p90: changeOf("p90") };
}

const pairs = Number(values.pairs);
const results = { same: [] as Verdict[], slowed: [] as Verdict[] };
for (let seed = 1; seed <= pairs; seed++) {
  for (const kind of ["same", "slowed"] as const) {
    const verdict = await compare(seed, kind === "slowed");
    results[kind].push(verdict);
    const found = (["p50", "p90"] as const).map((name) => {
      const { estimate, low, high } = verdict[name];
      return `${name} x ${estimate.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;
    });
    const more = [
      ...(verdict.measurements > 1 ? ["at the second look"] : []),
      ...(verdict.failed ? ["flagged"] : []),
      ...(verdict.invalid ? ["INVALID"] : []),
    ];
    console.log(`${kind.padEnd(6)} ${seed}: ${[...found, ...more].join(", ")}`);
  }
}
const flagged = (kind: keyof typeof results): number => results[kind].filter(({ failed }) => failed).length;
console.log(
  `the same file: ${flagged("same")} of ${pairs} flagged; ${100 * SLOWDOWN} % slower: ${flagged("slowed")} of ${pairs} found`,
);
if (values.json !== undefined) {
  const machine = {
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    loadAverage: loadavg()[0],
    node: process.version,
  };
  const content = {
    command: `pnpm bench:gate FILE --pairs ${pairs} --rule ${values.rule}`,
    gate: DEFAULT_GATE,
    machine,
    results,
  };
  writeFileSync(values.json, `${JSON.stringify(content, null, 2)}\n`);
}
process.exitCode = flagged("same") <= pairs / 20 && flagged("slowed") >= (19 * pairs) / 20 ? 0 : 1;
