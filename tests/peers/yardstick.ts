/**
 * Our benchmark beside outside yardsticks. Short blocks of all in turns, in an order drawn anew each round: whatever the machine
 * does strikes all. The result is the ratio of medians with its 95 % interval, whole rounds drawn.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import { type Block, compareLatency, type Interval, measureInterleaved, summarize } from "@distillate/bench";
import { openPlaces } from "@distillate/bench/node";
import { type YardstickModel, yardstickModels } from "./yardstick-models.ts";

const SEED = 1;
/** What the issue allows: the whole interval within it is agreement, the whole interval outside of it is none. */
const TOLERANCE = 0.05;

/** Something from outside that times a model by itself. */
export interface Yardstick {
  readonly name: string;
  /** Milliseconds a call, in about so many milliseconds of calls. */
  block(milliseconds: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** What is set beside what. */
export interface YardstickOptions {
  readonly command: string;
  readonly place: "node" | "chromium";
  readonly runtime: string;
  readonly threads: number;
  /** Of each side, for each model. */
  readonly seconds: number;
  readonly files: readonly string[];
  readonly json?: string | undefined;
  readonly open: (model: YardstickModel) => Promise<readonly Yardstick[]>;
}

interface Row {
  readonly model: string;
  readonly yardstick: string;
  /** Milliseconds at the median. */
  readonly ours: number;
  readonly theirs: number;
  readonly rounds: number;
  readonly ratio: Interval;
  /** Microseconds a call that ours takes longer. */
  readonly extraMicroseconds: number;
  readonly within: "yes" | "no" | "undecided";
}

/** Measures all models, prints a line for each, and writes them where it was asked to. */
export async function besideYardstick(options: YardstickOptions): Promise<void> {
  const rows: Row[] = [];
  for (const model of await yardstickModels(options.files)) {
    for (const row of await measure(model, options)) {
      rows.push(row);
      const { yardstick, ratio, ours, theirs, extraMicroseconds, within } = row;
      console.log(
        `${row.model.padEnd(20)} ours ${ours.toFixed(4)} ms, ${yardstick} ${theirs.toFixed(4)} ms, ratio ${ratio.estimate.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)}), ${extraMicroseconds.toFixed(1)} µs a call; within ${100 * TOLERANCE} %: ${within}`,
      );
    }
  }
  if (options.json === undefined) return;
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    loadAverage: Number(loadavg()[0]!.toFixed(2)),
    node: process.version,
  };
  const { command, seconds, threads } = options;
  const content = { schema: 1, command, seconds, threads, tolerance: TOLERANCE, machine, rows };
  await writeFile(options.json, `${JSON.stringify(content, null, 2)}\n`);
}

async function measure(model: YardstickModel, options: YardstickOptions): Promise<readonly Row[]> {
  const { place, runtime, threads, seconds } = options;
  const spec = { id: "ours", model: model.name, runtime, place, threads, source: model.path };
  const places = await openPlaces(
    { targets: [spec], inputs: model.inputs, softwareWebgpu: false, signal: new AbortController().signal },
    (error) => {
      throw error;
    },
  );
  const yardsticks = await options.open(model);
  try {
    const host = places.hostFor(spec);
    await host.open(places.located(spec));
    const theirBlock = async (yardstick: Yardstick, milliseconds: number): Promise<Block> => {
      const samples = await yardstick.block(milliseconds);
      const spent = samples.reduce((sum, value) => sum + value, 0);
      // A yardstick has no calibration of its own; a round counts when ours was steady.
      return { samples, batch: 1, milliseconds: Math.max(spent, milliseconds), calibration: [1, 1] };
    };
    const [ours, ...theirs] = await measureInterleaved(
      [
        { id: "ours", block: (milliseconds) => host.block("ours", milliseconds, 1) },
        ...yardsticks.map((each) => ({
          id: each.name,
          block: (milliseconds: number) => theirBlock(each, milliseconds),
        })),
      ],
      { rule: { runs: 1, milliseconds: 1000 * seconds }, seed: SEED },
    );
    const failed = [ours!, ...theirs].find(({ error }) => error !== undefined);
    if (failed) throw failed.error;
    const steady = ours!.blocks.filter(({ discarded }) => !discarded);
    const median = (blocks: readonly { readonly samples: readonly number[] }[]): number =>
      summarize(blocks.flatMap(({ samples }) => samples)).p50;
    const rounds = new Set(steady.map(({ round }) => round));
    return theirs.map(({ id, blocks }) => {
      const shared = blocks.filter(({ round }) => rounds.has(round));
      const ratio = compareLatency({ blocks: shared }, { blocks: steady }, "p50", { seed: SEED, paired: true });
      const [a, b] = [median(steady), median(shared)];
      return {
        model: model.name,
        yardstick: id,
        ours: a,
        theirs: b,
        rounds: shared.length,
        ratio,
        extraMicroseconds: 1000 * (a - b),
        within: verdictOf(ratio),
      };
    });
  } finally {
    for (const each of yardsticks) await each.close();
    await places.close();
  }
}

function verdictOf({ low, high }: Interval): Row["within"] {
  if (low >= 1 - TOLERANCE && high <= 1 + TOLERANCE) return "yes";
  return low > 1 + TOLERANCE || high < 1 - TOLERANCE ? "no" : "undecided";
}
