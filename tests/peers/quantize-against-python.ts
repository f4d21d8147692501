/**
 * `pnpm bench:quantizers [--students runs/quantizers] [--cifar DIR] [--rounds 100] [--processes 5] [--json FILE]`
 *
 * Our quantiser and onnxruntime.quantization (Python) on the same fp32 files and the same 512 samples: accuracy over 10,000 images
 * for every calibrator that both have, file size, latency in onnxruntime-node and -web (interleaved, one thread, batch 1), and the
 * time of the whole process. Theirs is run as its defaults have it and at its best (uint8 activations, a scale a channel).
 * Needs Python with tests/peers/requirements.txt; says so and ends with 0 where it is not there.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { type Student, students } from "./students.ts";

const { values: flags } = parseArgs({
  options: {
    students: { type: "string", default: "runs/quantizers" },
    cifar: { type: "string" },
    rounds: { type: "string", default: "100" },
    processes: { type: "string", default: "5" },
    json: { type: "string" },
  },
});
const CLI = resolve(import.meta.dirname, "../../packages/cli/dist/main.js");
const SCRIPT = resolve(import.meta.dirname, "quantize_onnx.py");
const METHODS = {
  "min-max": "MinMax",
  "moving-average": "MovingAverage",
  percentile: "Percentile",
  entropy: "Entropy",
} as const;
const OURS_ALONE = ["mse"] as const;
const BEST = ["--per-channel", "--activations", "QUInt8"] as const;
/** Milliseconds of a turn: short, so that what else the machine does strikes neighbours alike. */
const BLOCK = 15;
type Runtime = Pick<typeof node, "InferenceSession" | "Tensor">;
const RUNTIMES: { readonly [Name in "node" | "wasm"]: Runtime } = { node, wasm: web as unknown as Runtime };

const python = [process.env.DISTILLATE_PYTHON, new URL("./.venv/bin/python", import.meta.url).pathname, "python3"].find(
  (path) => {
    if (path === undefined) return false;
    try {
      execFileSync(path, ["-c", "import onnxruntime.quantization, numpy, sympy"], { stdio: "ignore" });
      return true;
    } catch {
      // This one hasn't got it.
      return false;
    }
  },
);

if (python === undefined)
  console.log("skipped: needs Python with tests/peers/requirements.txt (onnxruntime, onnx, sympy, numpy)");
else await compareAll(python);

async function compareAll(interpreter: string): Promise<void> {
  web.env.wasm.numThreads = 1;
  const results = [];
  for await (const student of students(resolve(flags.students), flags.cifar)) {
    const result = await compare(interpreter, student);
    results.push(result);
    console.log(summary(result));
    // After each student: the next one may take long to train.
    if (flags.json !== undefined)
      writeFileSync(
        flags.json,
        `${JSON.stringify({ cpu: cpus()[0]!.model, cores: cpus().length, node: process.version, results }, null, 2)}\n`,
      );
  }
  if (flags.cifar === undefined)
    console.log("left out: cifar-10-resnet-8 needs --cifar DIR (train/CLASS/*, test/CLASS/*)");
}

async function compare(interpreter: string, student: Student): Promise<Comparison> {
  const place = mkdtempSync(join(tmpdir(), "distillate-quantizers-"));
  const samples = join(place, "samples.npy");
  writeFileSync(samples, npy(student.samples, [512, ...student.shape]));
  const at = (name: string): string => join(place, `${name}.onnx`);
  const ours = (calibrator: string): void => {
    const args = [
      CLI,
      "quantize",
      student.path,
      "--data",
      samples,
      "-o",
      at(`ours.${calibrator}`),
      "--calibrator",
      calibrator,
      "--quiet",
    ];
    execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  };
  const theirs = (method: string, kind: "default" | "best"): void => {
    const args = [
      SCRIPT,
      student.path,
      samples,
      at(`python-${kind}.${method}`),
      method,
      ...(kind === "best" ? BEST : []),
    ];
    execFileSync(interpreter, args, { stdio: "ignore" });
  };

  const accuracy: Record<string, Record<string, number>> = { fp32: { none: await accuracyOf(student.path, student) } };
  for (const calibrator of [...(Object.keys(METHODS) as (keyof typeof METHODS)[]), ...OURS_ALONE]) {
    ours(calibrator);
    const row: Record<string, number> = { ours: await accuracyOf(at(`ours.${calibrator}`), student) };
    if (calibrator in METHODS) {
      const method = METHODS[calibrator as keyof typeof METHODS];
      for (const kind of ["default", "best"] as const) {
        theirs(method, kind);
        row[`python-${kind}`] = await accuracyOf(at(`python-${kind}.${method}`), student);
      }
    }
    accuracy[calibrator] = row;
  }
  const files = {
    fp32: student.path,
    ours: at("ours.min-max"),
    "python-default": at("python-default.MinMax"),
    "python-best": at("python-best.MinMax"),
  };
  const bytes = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path).byteLength]));
  const latency = { node: await interleaved("node", files, student), wasm: await interleaved("wasm", files, student) };
  const wall = { ours: [] as number[], python: [] as number[] };
  for (let i = 0; i < Number(flags.processes); i++) {
    wall.ours.push(timed(() => ours("min-max")));
    wall.python.push(timed(() => theirs("MinMax", "default")));
  }
  return { student: student.name, accuracy, bytes, latency, processMilliseconds: wall };
}

/** Share of the images that a file names rightly, in onnxruntime-node. */
async function accuracyOf(path: string, { test, classes, shape }: Student): Promise<number> {
  const session = await node.InferenceSession.create(path, { logSeverityLevel: 3 });
  const [length, batch] = [shape.reduce((product, side) => product * side, 1), 250];
  const count = test.length / length;
  let right = 0;
  for (let start = 0; start < count; start += batch) {
    const values = test.subarray(start * length, (start + batch) * length);
    const feeds = { [session.inputNames[0]!]: new node.Tensor("float32", values, [batch, ...shape]) };
    const { data, dims } = (await session.run(feeds))[session.outputNames[0]!]!;
    for (let i = 0; i < batch; i++) {
      const logits = (data as Float32Array).subarray(i * dims[1]!, (i + 1) * dims[1]!);
      if (logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) === classes[start + i]) right++;
    }
  }
  await session.release();
  return right / count;
}

/** Milliseconds a run, and ours by each other's: every file has a turn in every round, so that what else the machine does hits all. */
async function interleaved(
  name: keyof typeof RUNTIMES,
  files: Readonly<Record<string, string>>,
  student: Student,
): Promise<Latency> {
  const { InferenceSession, Tensor } = RUNTIMES[name];
  const length = student.shape.reduce((product, side) => product * side, 1);
  const runs: [string, () => Promise<unknown>][] = [];
  for (const [id, path] of Object.entries(files)) {
    const session = await InferenceSession.create(readFileSync(path), { intraOpNumThreads: 1, logSeverityLevel: 3 });
    const input = new Tensor("float32", student.test.subarray(0, length), [1, ...student.shape]);
    runs.push([id, () => session.run({ [session.inputNames[0]!]: input })]);
  }
  const found: Record<string, number[]> = Object.fromEntries(runs.map(([id]) => [id, []]));
  for (let round = -1; round < Number(flags.rounds); round++) {
    // Each round begins with another: whoever comes behind the largest finds the caches emptied.
    for (let turn = 0; turn < runs.length; turn++) {
      const [id, run] = runs[(turn + Math.max(0, round)) % runs.length]!;
      let count = 0;
      const start = performance.now();
      while (performance.now() - start < BLOCK) {
        await run();
        count++;
      }
      const each = (performance.now() - start) / count;
      // The first round warms up.
      if (round >= 0) found[id]!.push(Number(each.toFixed(5)));
    }
  }
  const milliseconds = Object.fromEntries(Object.entries(found).map(([id, times]) => [id, median(times)]));
  const ratios = Object.entries(found)
    .filter(([id]) => id !== "ours")
    .map(([id, times]) => {
      const each = found.ours!.map((value, i) => value / times[i]!);
      return [id, [0.25, 0.5, 0.75].map((share) => Number(quantile(each, share).toFixed(3)))] as const;
    });
  return { milliseconds, oursBy: Object.fromEntries(ratios) };
}

interface Latency {
  /** Medians over the rounds. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Ours by theirs, round by round: first quartile, median, third quartile. */
  readonly oursBy: Readonly<Record<string, readonly number[]>>;
}

interface Comparison {
  readonly student: string;
  readonly accuracy: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly bytes: Readonly<Record<string, number>>;
  readonly latency: { readonly [Name in keyof typeof RUNTIMES]: Latency };
  readonly processMilliseconds: { readonly ours: readonly number[]; readonly python: readonly number[] };
}

function summary({ student, accuracy, bytes, latency, processMilliseconds: wall }: Comparison): string {
  const percent = (share: number | undefined): string => (share === undefined ? "" : `${(100 * share).toFixed(2)} %`);
  const ratio = (runtime: keyof typeof RUNTIMES, to: string): string => latency[runtime].oursBy[to]![1]!.toFixed(3);
  return [
    student,
    ...Object.entries(accuracy).map(
      ([calibrator, row]) =>
        `  ${calibrator.padEnd(15)} ${Object.entries(row)
          .map(([who, share]) => `${who} ${percent(share)}`)
          .join(", ")}`,
    ),
    `  bytes           ${Object.entries(bytes)
      .map(([who, size]) => `${who} ${size}`)
      .join(", ")}`,
    ...(["node", "wasm"] as const).map(
      (runtime) =>
        `  ${runtime.padEnd(15)} ours / fp32 ${ratio(runtime, "fp32")}, / python-default ${ratio(runtime, "python-default")}, / python-best ${ratio(runtime, "python-best")}`,
    ),
    `  process         ours ${median(wall.ours).toFixed(0)} ms, python ${median(wall.python).toFixed(0)} ms, ratio ${median(wall.python.map((value, i) => value / wall.ours[i]!)).toFixed(2)}`,
  ].join("\n");
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return Number((performance.now() - start).toFixed(1));
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
}

function npy(values: Float32Array, shape: readonly number[]): Uint8Array {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117);
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from("NUMPY"),
    Buffer.from([1, 0, 118, 0]),
    Buffer.from(`${header}\n`),
    Buffer.from(values.buffer),
  ]);
}
