/**
 * `pnpm bench:peers FILE.onnx [--seconds 5] [--rounds 5] [--threads 1] [--json FILE]`
 *
 * The same file in our benchmark's onnxruntime-node and in Python's onnxruntime, in turns: the ratio of medians, a round each, and
 * their median. Needs Python with tests/peers/requirements.txt; says so and ends with 0 where it is not there.
 */
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { runBench } from "@distillate/bench/node";
import { InferenceSession } from "onnxruntime-node";
import { momentOf } from "../fixtures/bench-options.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const [file] = positionals;
if (file === undefined) throw new Error("give an .onnx file");
const source = resolve(file);
const threads = Number(values.threads);
const seconds = Number(values.seconds);
const python = [process.env.DISTILLATE_PYTHON, new URL("./.venv/bin/python", import.meta.url).pathname, "python3"].find(
  (path) => {
    if (path === undefined) return false;
    try {
      execFileSync(path, ["-c", "import onnxruntime, numpy"], { stdio: "ignore" });
      return true;
    } catch {
      // This one hasn't got it.
      return false;
    }
  },
);

interface Peer {
  readonly p50: number;
  readonly p90: number;
  readonly runs: number;
  readonly version: string;
}

async function ours(): Promise<{ readonly p50: number; readonly p90: number }> {
  const session = await InferenceSession.create(source);
  const tensors = session.inputMetadata.map((input) => {
    const row = input.isTensor ? input.shape.slice(1).map((side) => (typeof side === "number" ? side : 1)) : [];
    const length = 8 * row.reduce((product, side) => product * side, 1);
    return {
      name: input.name,
      dtype: "float32" as const,
      row,
      data: Float32Array.from({ length }, (_, i) => (i % 97) / 97),
    };
  });
  await session.release();
  const target = { id: "ours", model: "ours", runtime: "onnxruntime-node", place: "node" as const, threads, source };
  const rule = { name: "peer", runs: 64, milliseconds: 1000 * seconds, patience: 1, coldStarts: 0 };
  const report = await runBench(momentOf([target], { samples: 8, tensors }, { rule, scenarios: [] }));
  const { p50, p90 } = report.targets[0]!.latency!.summary!;
  return { p50, p90: p90! };
}

if (python === undefined) {
  console.log("skipped: needs Python with tests/peers/requirements.txt (onnxruntime, numpy)");
} else {
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const script = new URL("./time_onnx.py", import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(python, [script, source, String(threads), String(seconds)]);
    const peer = JSON.parse(stdout) as Peer;
    const own = await ours();
    rounds.push({ ours: own, peer, ratio: own.p50 / peer.p50 });
    console.log(
      `round ${round + 1}: ours ${own.p50.toFixed(4)} ms, Python's onnxruntime ${peer.version} ${peer.p50.toFixed(4)} ms, ratio ${(own.p50 / peer.p50).toFixed(3)}`,
    );
  }
  const ratios = rounds.map(({ ratio }) => ratio).sort((a, b) => a - b);
  const median = ratios[Math.floor((ratios.length - 1) / 2)]!;
  console.log(`ours / theirs, median of ${rounds.length} rounds: ${median.toFixed(3)}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ threads, seconds, median, rounds }, null, 2)}\n`);
}
