/**
 * `pnpm bench:export [--rounds 5] [--json FILE]`
 *
 * The same networks through `distillate export` and through tf2onnx (and onnxslim), whole processes in turns: seconds, peak memory, and
 * how many nodes are left. Needs Python with tests/peers/requirements-export.txt (DISTILLATE_EXPORT_PYTHON names it); says so and ends
 * with 0 where it is not there, after our own part.
 */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import "@tensorflow/tfjs-backend-cpu";
import { decodeModel, exportModel } from "@distillate/export";
import { readTfjsModel } from "@distillate/train";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, json: { type: "string" } } });
const ROOT = resolve(import.meta.dirname, "../..");
const { layers } = tfl;

interface Cost {
  readonly seconds: number;
  readonly peakBytes: number;
}

/** A student as the recipes have them: 19,000 parameters. */
function student(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 3, padding: "same", useBias: false }),
      layers.batchNormalization(),
      layers.reLU(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 16, kernelSize: 3, padding: "same", useBias: false }),
      layers.batchNormalization(),
      layers.reLU(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 22, activation: "relu" }),
      layers.dense({ units: 10 }),
    ],
  });
}

/** MobileNetV2 at width 1 (Sandler et al. 2018, table 2): 3.5 million parameters. */
function mobileNetV2(): tfl.LayersModel {
  const input = tfl.input({ shape: [224, 224, 3] });
  const norm = (x: tfl.SymbolicTensor): tfl.SymbolicTensor =>
    layers.batchNormalization().apply(x) as tfl.SymbolicTensor;
  const relu6 = (x: tfl.SymbolicTensor): tfl.SymbolicTensor =>
    layers.reLU({ maxValue: 6 }).apply(norm(x)) as tfl.SymbolicTensor;
  const conv = (x: tfl.SymbolicTensor, filters: number, kernelSize: number, strides = 1): tfl.SymbolicTensor =>
    layers.conv2d({ filters, kernelSize, strides, padding: "same", useBias: false }).apply(x) as tfl.SymbolicTensor;
  let x = relu6(conv(input, 32, 3, 2));
  let channels = 32;
  const blocks = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const;
  for (const [expand, filters, repeats, first] of blocks) {
    for (let i = 0; i < repeats; i++) {
      const strides = i === 0 ? first : 1;
      const wide = expand === 1 ? x : relu6(conv(x, expand * channels, 1));
      const deep = layers.depthwiseConv2d({ kernelSize: 3, strides, padding: "same", useBias: false }).apply(wide);
      const thin = norm(conv(relu6(deep as tfl.SymbolicTensor), filters, 1));
      x = strides === 1 && channels === filters ? (layers.add().apply([x, thin]) as tfl.SymbolicTensor) : thin;
      channels = filters;
    }
  }
  const pooled = layers.globalAveragePooling2d({}).apply(relu6(conv(x, 1280, 1)));
  return tfl.model({ inputs: input, outputs: layers.dense({ units: 1000 }).apply(pooled) as tfl.SymbolicTensor });
}

async function save(model: tfl.LayersModel, directory: string): Promise<string> {
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const manifest = [{ paths: ["weights.bin"], weights: weightSpecs! }];
      writeFileSync(join(directory, "model.json"), JSON.stringify({ modelTopology, weightsManifest: manifest }));
      writeFileSync(join(directory, "weights.bin"), new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData!)));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  return join(directory, "model.json");
}

const python = process.env.DISTILLATE_EXPORT_PYTHON ?? "python3";
const hasPeer = (() => {
  try {
    execFileSync(python, ["-c", "import tensorflow, tf2onnx, onnxslim"], { stdio: "ignore" });
    return true;
  } catch {
    // Without it only our part is measured.
    return false;
  }
})();

const quiet: ExecFileSyncOptionsWithStringEncoding = {
  stdio: ["ignore", "pipe", "ignore"],
  env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3" },
  encoding: "utf8",
};
const peer = (script: string, ...args: string[]): string =>
  execFileSync(python, [join(import.meta.dirname, script), ...args], { ...quiet, maxBuffer: 1 << 26 });
const measure = (...command: string[]): Cost =>
  JSON.parse(execFileSync("python3", [join(import.meta.dirname, "measure_process.py"), ...command], quiet)) as Cost;
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[Math.floor((list.length - 1) / 2)]!;
const count = (ops: Readonly<Record<string, number>>): number => Object.values(ops).reduce((a, b) => a + b, 0);

execFileSync("npx", ["-y", "pnpm@10", "run", "build"], { cwd: ROOT, stdio: "ignore" });
await tf.setBackend("cpu");
const results = [];
for (const [name, build] of [
  ["student", student],
  ["mobilenet-v2", mobileNetV2],
] as const) {
  const directory = mkdtempSync(join(tmpdir(), `distillate-export-${name}-`));
  const model = await save(build(), directory);
  const [ours, theirs] = [join(directory, "ours.onnx"), join(directory, "theirs.onnx")];
  const saved = join(directory, "saved");
  if (hasPeer) peer("saved_model.py", model, saved);
  const rounds: { ours: Cost; tf2onnx?: Cost; conversionMilliseconds: number }[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const own = measure(process.execPath, join(ROOT, "packages/cli/dist/main.js"), "export", model, "-o", ours);
    const convert = ["-m", "tf2onnx.convert", "--saved-model", saved, "--opset", "17", "--output", theirs];
    const other = hasPeer ? measure(python, ...convert) : undefined;
    const artifacts = await readTfjsModel(model);
    const from = performance.now();
    exportModel(artifacts, { name });
    const conversionMilliseconds = performance.now() - from;
    rounds.push({ ours: own, ...(other && { tf2onnx: other }), conversionMilliseconds });
    console.log(
      `${name}: ours ${own.seconds.toFixed(2)} s, conversion ${conversionMilliseconds.toFixed(0)} ms${other ? `, tf2onnx ${other.seconds.toFixed(2)} s, ratio ${(other.seconds / own.seconds).toFixed(1)}` : ""}`,
    );
  }
  const { graph } = decodeModel(new Uint8Array(readFileSync(ours)));
  const slim = hasPeer
    ? (JSON.parse(peer("slim_onnx.py", theirs).trim().split("\n").at(-1)!) as {
        before: Record<string, number>;
        after: Record<string, number>;
      })
    : undefined;
  const modelBytes = statSync(join(directory, "weights.bin")).size;
  const peakBytes = Math.max(...rounds.map((round) => round.ours.peakBytes));
  results.push({
    model: name,
    modelBytes,
    rounds,
    medianSeconds: median(rounds.map((round) => round.ours.seconds)),
    medianConversionMilliseconds: median(rounds.map((round) => round.conversionMilliseconds)),
    peakBytes,
    ...(slim && { medianRatio: median(rounds.map((round) => round.tf2onnx!.seconds / round.ours.seconds)) }),
    nodes: { ours: graph.nodes.length, ...(slim && { tf2onnx: count(slim.before), onnxslim: count(slim.after) }) },
    transposes: {
      ours: graph.nodes.filter(({ op }) => op === "Transpose").length,
      ...(slim && { tf2onnx: slim.before.Transpose ?? 0, onnxslim: slim.after.Transpose ?? 0 }),
    },
  });
  console.log(JSON.stringify({ ...results.at(-1), rounds: undefined }));
}
if (!hasPeer)
  console.log(
    "skipped tf2onnx: needs Python with tests/peers/requirements-export.txt, named by DISTILLATE_EXPORT_PYTHON",
  );
if (values.json !== undefined) {
  const command = `DISTILLATE_EXPORT_PYTHON=PYTHON pnpm bench:export --rounds ${values.rounds} --json FILE`;
  const about = { command, cpu: cpus()[0]!.model, node: process.version, peers: "tests/peers/requirements-export.txt" };
  writeFileSync(values.json, `${JSON.stringify({ ...about, results }, null, 2)}\n`);
}
