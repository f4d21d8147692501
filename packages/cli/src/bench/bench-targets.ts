/** Which targets a benchmark has: every file in every runtime that was asked for, and the networks of the run that made it. */
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { TargetSpec } from "@distillate/bench";
import { TEACHER_FILE } from "../pipeline/bring-stage.ts";
import { readReport } from "../report/read-report.ts";
import { UsageError } from "../usage.ts";

/** Where files run, by the name that `--targets` takes. */
const RUNTIMES = {
  node: { runtime: "onnxruntime-node", place: "node", where: "onnxruntime-node" },
  wasm: { runtime: "onnxruntime-web-wasm", place: "node", where: "WebAssembly in Node" },
  chromium: { runtime: "onnxruntime-web-wasm", place: "chromium", where: "WebAssembly in Chromium" },
  webgpu: { runtime: "onnxruntime-web-webgpu", place: "chromium", where: "WebGPU in Chromium" },
  device: { runtime: "onnxruntime-web-wasm", place: "page", where: "WebAssembly on the device" },
  "device-webgpu": { runtime: "onnxruntime-web-webgpu", place: "page", where: "WebGPU on the device" },
} as const;
type RuntimeName = keyof typeof RUNTIMES;
const TFJS = new URL(import.meta.url.endsWith(".ts") ? "./tfjs-target.ts" : "./tfjs-target.js", import.meta.url).href;

/** Taken unless `--targets` says otherwise. */
export const DEFAULT_TARGETS = "node,chromium,webgpu,teacher";
/** Taken with `--serve` unless `--targets` says otherwise. */
export const DEVICE_TARGETS = "device,device-webgpu";

/** A file and what to call it. */
export interface ModelFile {
  readonly model: string;
  readonly path: string;
}

/** Makes the list. */
export function targetsOf(
  files: readonly ModelFile[],
  networks: readonly ModelFile[],
  { targets, threads }: { readonly targets: string; readonly threads: string },
): readonly TargetSpec[] {
  const names = targets.split(",").filter(Boolean);
  const known = [...Object.keys(RUNTIMES), "tfjs", "teacher"];
  for (const name of names) {
    if (!known.includes(name)) throw new UsageError(`--targets ${name} is unknown; there are ${known.join(", ")}`);
  }
  const counts = threads.split(",").map(Number);
  if (counts.some((count) => !Number.isInteger(count) || count < 1)) {
    throw new UsageError(`--threads is ${threads}, expected numbers such as 1 or 1,2`);
  }
  // onnxruntime takes its number of threads once a page, and a device has one page.
  if (names.includes("device") && counts.length > 1)
    throw new UsageError(`--threads is ${threads}: on a device give one number at a time`);
  const ofRuntime = (name: RuntimeName): TargetSpec[] => {
    const { runtime, place, where } = RUNTIMES[name];
    // WebGPU has no threads of ours, and WebAssembly has one in Node.
    const possible = ["webgpu", "device-webgpu", "wasm"].includes(name) ? [1] : counts;
    return files.flatMap(({ model, path }) =>
      possible.map((count) => ({
        id: `${model}, ${where}${count === 1 ? "" : `, ${count} threads`}`,
        model,
        runtime,
        place,
        threads: count,
        source: resolve(path),
      })),
    );
  };
  const tfjs = networks.map(
    ({ model, path }): TargetSpec => ({
      id: `${model}, tfjs`,
      model,
      runtime: TFJS,
      place: "node",
      threads: 1,
      source: resolve(path),
    }),
  );
  const targetsNamed = (name: string): readonly TargetSpec[] => {
    if (name === "tfjs") return tfjs;
    return name === "teacher" ? tfjs.filter(({ model }) => model === name) : ofRuntime(name as RuntimeName);
  };
  return names.flatMap(targetsNamed);
}

/** Teacher and shipped student of the run that a bundle lies in. */
export async function networksBeside(bundle: string, seed: number): Promise<readonly ModelFile[]> {
  const run = join(resolve(bundle), "..");
  const candidates = [
    { model: "teacher", path: join(run, "teacher") },
    { model: "student", path: join(run, (await shippedOf(run)) ?? join("student", `seed-${seed}`)) },
  ];
  const isThere = await Promise.all(
    candidates.map(({ path }) =>
      stat(join(path, "checkpoint.json")).then(
        () => true,
        () => false,
      ),
    ),
  );
  return candidates.filter((_, i) => isThere[i]);
}

/** Why the teacher of the run that a bundle lies in cannot be measured; absent where it can, or where there is no run. */
export async function teacherMissing(bundle: string): Promise<string | undefined> {
  const text = await readFile(join(resolve(bundle), "..", "teacher", TEACHER_FILE), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const isMean = "mean" in (JSON.parse(text) as object);
  return isMean
    ? "the teacher was not measured: it is the mean of several, each of which lies in the run's directory teachers/"
    : "the teacher was not measured: it was brought from outside and is not in the run";
}

/** The directory of the network that was exported, as the run's report says; older reports do not say it. */
async function shippedOf(run: string): Promise<string | undefined> {
  const hasReport = await stat(join(run, "report.json")).catch(() => undefined);
  return hasReport && (await readReport(run)).report.shipped;
}

/** What to call a bare file. */
export function nameOfFile(path: string): string {
  return basename(path).replace(/\.onnx$/, "");
}
