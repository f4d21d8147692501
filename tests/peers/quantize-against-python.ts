/**
 * `pnpm bench:quantizers [RUN...] [--cifar DIR] [--engine NAME] [--rounds 100] [--processes 5] [--json FILE]`
 *
 * Our quantiser and onnxruntime.quantization (Python) on the same fp32 files and the same 512 samples: accuracy over 10,000 images
 * for every calibrator that both have, file size (LiteRT's too, where TensorFlow is there), latency in onnxruntime-node and -web
 * (interleaved, one thread, batch 1), what `quantize --tune` recommends, and the time of the whole process. Theirs is run as its
 * defaults have it and at its best (uint8 activations, a scale a channel).
 *
 * RUN is a finished run of `distillate run`; without any the recipes in students/ are run first, which takes long.
 * Needs Python with tests/peers/requirements.txt (DISTILLATE_PYTHON names it), for LiteRT with TensorFlow (or DISTILLATE_EXPORT_PYTHON);
 * says so and ends with 0 where it is not there.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import * as node from "onnxruntime-node";
import { interleaved } from "./interleaved.ts";
import { type Comparison, type Quality, summary } from "./quantizer-summary.ts";
import { CLI, type Student, students } from "./student-runs.ts";

const { values: flags, positionals: runs } = parseArgs({
  allowPositionals: true,
  options: {
    cifar: { type: "string" },
    engine: { type: "string", default: "auto" },
    rounds: { type: "string", default: "100" },
    processes: { type: "string", default: "5" },
    json: { type: "string" },
  },
});
const SCRIPT = resolve(import.meta.dirname, "quantize_onnx.py");
const METHODS = {
  "min-max": "MinMax",
  "moving-average": "MovingAverage",
  percentile: "Percentile",
  entropy: "Entropy",
} as const;
type Both = keyof typeof METHODS;
const OURS_ALONE = ["mse"] as const;
const BEST = ["--per-channel", "--activations", "QUInt8"] as const;

const python = pythonWith("onnxruntime.quantization, numpy, sympy");
const tensorflow = pythonWith("tensorflow");
if (python === undefined)
  console.log("skipped: needs Python with tests/peers/requirements.txt (onnxruntime, onnx, sympy, numpy)");
else await compareAll(python);

/** The first interpreter that has some modules. */
function pythonWith(modules: string): string | undefined {
  const own = new URL("./.venv/bin/python", import.meta.url).pathname;
  const { DISTILLATE_PYTHON, DISTILLATE_EXPORT_PYTHON } = process.env;
  return [DISTILLATE_PYTHON, DISTILLATE_EXPORT_PYTHON, own, "python3"].find((path) => {
    if (path === undefined) return false;
    try {
      execFileSync(path, ["-c", `import ${modules}`], { stdio: "ignore" });
      return true;
    } catch {
      // This one hasn't got them.
      return false;
    }
  });
}

async function compareAll(interpreter: string): Promise<void> {
  const results = [];
  for await (const student of students({ runs, cifar: flags.cifar, engine: flags.engine })) {
    const result = await compare(interpreter, student);
    results.push(result);
    console.log(summary(result));
    // After each student: the next one may take long to train.
    const machine = { cpu: cpus()[0]!.model, cores: cpus().length, node: process.version };
    if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify({ ...machine, results }, null, 2)}\n`);
  }
  if (runs.length === 0 && flags.cifar === undefined)
    console.log("left out: cifar-10-resnet-8 needs --cifar DIR (train/CLASS/*, test/CLASS/*)");
  if (tensorflow === undefined) console.log("left out: LiteRT's bytes need Python with TensorFlow");
}

async function compare(interpreter: string, student: Student): Promise<Comparison> {
  const place = mkdtempSync(join(tmpdir(), "distillate-quantizers-"));
  const samples = join(place, "samples.npy");
  writeFileSync(samples, npy(student.samples, [512, ...student.shape]));
  const at = (name: string): string => join(place, `${name}.onnx`);
  const ours = (calibrator: string): void => {
    const out = ["-o", at(`ours.${calibrator}`), "--calibrator", calibrator, "--quiet"];
    distillate("quantize", student.path, "--data", samples, ...out);
  };
  const theirs = (method: string, kind: "default" | "best"): void => {
    const files = [student.path, samples, at(`python-${kind}.${method}`)];
    execFileSync(interpreter, [SCRIPT, ...files, method, ...(kind === "best" ? BEST : [])], { stdio: "ignore" });
  };

  const float = await answersOf(student.path, student);
  const qualityOf = async (path: string): Promise<Quality> => {
    const found = await answersOf(path, student);
    return { accuracy: shareOf(found, student.classes), changed: 1 - shareOf(found, float) };
  };
  const quality: Record<string, Record<string, Quality>> = {};
  for (const calibrator of [...(Object.keys(METHODS) as Both[]), ...OURS_ALONE]) {
    ours(calibrator);
    const row: Record<string, Quality> = { ours: await qualityOf(at(`ours.${calibrator}`)) };
    quality[calibrator] = row;
    if (!(calibrator in METHODS)) continue;
    const method = METHODS[calibrator as Both];
    for (const kind of ["default", "best"] as const) {
      theirs(method, kind);
      row[`python-${kind}`] = await qualityOf(at(`python-${kind}.${method}`));
    }
  }
  // Ours first: the others are what it is measured by.
  const files = {
    ours: at("ours.min-max"),
    fp32: student.path,
    "python-default": at("python-default.MinMax"),
    "python-best": at("python-best.MinMax"),
  };
  const bytes = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path).byteLength]));
  const first = student.test.subarray(
    0,
    student.shape.reduce((product, side) => product * side, 1),
  );
  const input = { values: first, shape: student.shape, rounds: Number(flags.rounds) };
  const latency = { node: await interleaved("node", files, input), wasm: await interleaved("wasm", files, input) };
  const wall = { ours: [] as number[], python: [] as number[] };
  for (let i = 0; i < Number(flags.processes); i++) {
    wall.ours.push(timed(() => ours("min-max")));
    wall.python.push(timed(() => theirs("MinMax", "default")));
  }
  return {
    student: student.name,
    fp32: shareOf(float, student.classes),
    quality,
    ...(student.aware !== undefined && { aware: await qualityOf(student.aware) }),
    bytes: { ...bytes, ...litertBytes(student) },
    latency,
    recommended: recommendedFor(student, at("tuned.fp32")),
    processMilliseconds: wall,
  };
}

function distillate(...args: readonly string[]): string {
  const options = { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28, encoding: "utf8" } as const;
  return execFileSync(process.execPath, [CLI, ...args], { ...options, stdio: [...options.stdio] });
}

/** What our own measurement recommends, on a copy: it writes beside the file. */
function recommendedFor(student: Student, path: string): Comparison["recommended"] {
  copyFileSync(student.path, path);
  const out = distillate("quantize", path, "--tune", "--json", ...student.dataFlags);
  const { choices } = JSON.parse(out.trim().split("\n").at(-1)!) as {
    readonly choices: readonly { backend: string; variant: string; speed: readonly number[] }[];
  };
  return choices.map(({ backend, variant, speed }) => ({ backend, variant, byFp32: 1 / speed[0]! }));
}

/** Of the same network, by LiteRT's own converter. */
function litertBytes({ model, shape, classes }: Student): { readonly litert?: number } {
  if (tensorflow === undefined) return {};
  const script = resolve(import.meta.dirname, "litert_bytes.py");
  const count = new Set(Array.from(classes)).size;
  const args = [script, JSON.stringify(model), shape.join(), String(count)];
  const out = execFileSync(tensorflow, args, { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" });
  return { litert: (JSON.parse(out.trim().split("\n").at(-1)!) as { bytes: number }).bytes };
}

/** The class that a file names for each image, in onnxruntime-node. */
async function answersOf(path: string, { test, classes, shape }: Student): Promise<Uint16Array> {
  const session = await node.InferenceSession.create(path, { logSeverityLevel: 3 });
  const [length, batch] = [shape.reduce((product, side) => product * side, 1), 250];
  const answers = new Uint16Array(classes.length);
  for (let start = 0; start < answers.length; start += batch) {
    const values = test.subarray(start * length, (start + batch) * length);
    const rows = values.length / length;
    const feeds = { [session.inputNames[0]!]: new node.Tensor("float32", values, [rows, ...shape]) };
    const { data, dims } = (await session.run(feeds))[session.outputNames[0]!]!;
    for (let i = 0; i < rows; i++) {
      const logits = (data as Float32Array).subarray(i * dims[1]!, (i + 1) * dims[1]!);
      answers[start + i] = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
    }
  }
  await session.release();
  return answers;
}

function shareOf(found: Uint16Array, expected: ArrayLike<number>): number {
  return found.filter((answer, i) => answer === expected[i]).length / found.length;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return Number((performance.now() - start).toFixed(1));
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
