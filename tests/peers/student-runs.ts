/**
 * The students that quantisers are compared on, from finished runs of `distillate run`: the student as it was trained, what the
 * run's fine-tuning for integers made of it, 512 samples to calibrate on and the test images.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { normalizeImage, type PreprocessSpec } from "@distillate/bundle";
import {
  cacheDirectory,
  type Dataset,
  type Images,
  loadFashionMnist,
  loadImageFolder,
  loadMnist,
  type RunConfig,
  readCheckpoint,
  splitTrainValidation,
} from "@distillate/train";

/** The command line as a user has it. */
export const CLI: string = resolve(import.meta.dirname, "../../packages/cli/dist/main.js");
const RECIPES = resolve(import.meta.dirname, "students");
/** CIFAR-10 is a folder of images that someone else has to bring. */
const BUILT_IN = ["fashion-mnist-cnn", "fashion-mnist-ds-cnn", "cifar-10-resnet-8"] as const;
const NEEDS_FOLDER = "cifar-10-resnet-8";
const MOST_TEST_IMAGES = 10_000;

/** A trained float model, samples to calibrate on and images to measure on. */
export interface Student {
  readonly name: string;
  /** The fp32 file of the student as it was trained. */
  readonly path: string;
  /** The int8 file of the student that learnt to be rounded, where the run has one. */
  readonly aware: string | undefined;
  readonly model: RunConfig["student"]["model"];
  /** `[channels, height, width]` */
  readonly shape: readonly [number, number, number];
  readonly samples: Float32Array;
  readonly test: Float32Array;
  readonly classes: ArrayLike<number>;
  /** Flags of `distillate quantize` that name the labelled data and how its images are prepared. */
  readonly dataFlags: readonly string[];
}

/** Where the students are from. */
export interface StudentOptions {
  /** Finished runs; without any the three of `students/` are run first. */
  readonly runs: readonly string[];
  /** CIFAR-10 as a folder of images. */
  readonly cifar: string | undefined;
  /** For the runs that are made here: as `distillate run` has it. */
  readonly engine: string;
}

/** One after the other: the next one may take long to train. */
export async function* students(options: StudentOptions): AsyncGenerator<Student> {
  const given = options.runs.map((run) => (): string => run);
  const own = BUILT_IN.filter((name) => name !== NEEDS_FOLDER || options.cifar !== undefined).map(
    (name) => (): string => trainedRun(name, options),
  );
  for (const run of given.length > 0 ? given : own) yield await openRun(run());
}

/** Runs a recipe, or goes on with it; what is there already is skipped. */
function trainedRun(name: string, { cifar, engine }: StudentOptions): string {
  const run = join("runs/quantizers", name);
  const folder = name === NEEDS_FOLDER ? ["--set", `data.dir=${resolve(cifar!)}`] : [];
  const args = ["run", join(RECIPES, `${name}.json`), "--out", run, "--engine", engine, ...folder];
  execFileSync(process.execPath, [CLI, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  return run;
}

async function openRun(run: string): Promise<Student> {
  const report = join(run, "report.json");
  if (!existsSync(report)) throw new Error(`${run} is no finished run: it has no report.json`);
  const { shipped, config } = JSON.parse(readFileSync(report, "utf8")) as { shipped: string; config: RunConfig };
  const trained = join(run, shipped);
  const { preprocess } = (await readCheckpoint(trained)).info;
  mkdirSync(join(run, "quantizers"), { recursive: true });
  const path = join(run, "quantizers/student.fp32.onnx");
  execFileSync(process.execPath, [CLI, "export", join(trained, "model.json"), "-o", path, "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const { train, test } = await load(config);
  const chosen = splitTrainValidation(train.classes, config.data.validation, config.seeds[0]!).train.subarray(0, 512);
  const [height, width, channels] = train.shape;
  const count = Math.min(MOST_TEST_IMAGES, test.count);
  const every = Uint32Array.from({ length: count }, (_, i) => i);
  const { scale, mean, std } = preprocess as Extract<PreprocessSpec, { kind: "image" }>;
  const source = config.data.kind === "image-folder" ? config.data.dir! : config.data.kind;
  return {
    name: config.name,
    path,
    aware: config.student.quantizeAware && join(run, "quantize/student.int8.onnx"),
    model: config.student.model,
    shape: [channels, height, width],
    samples: prepared(train, preprocess, chosen),
    test: prepared(test, preprocess, every),
    classes: test.classes.subarray(0, count),
    dataFlags: ["--data", source, "--scale", `${scale}`, "--mean", mean.join(), "--std", std.join()],
  };
}

async function load({ data, seeds }: RunConfig): Promise<Dataset> {
  const options = { cacheDir: cacheDirectory("data"), seed: seeds[0]!, onEvent: () => undefined };
  const { kind, dir, image, testFraction } = data;
  if (kind === "fashion-mnist") return loadFashionMnist({ ...options, ...(dir !== undefined && { directory: dir }) });
  if (kind === "mnist" && dir !== undefined) return loadMnist(dir);
  if (kind === "image-folder") return loadImageFolder(dir!, { ...options, testFraction, ...(image && { image }) });
  throw new Error(`a run on ${kind} cannot be compared on: give one on fashion-mnist or a folder of images`);
}

/** Images as the student takes them, channels first. */
function prepared({ shape, pixels }: Images, preprocess: PreprocessSpec, indices: Uint32Array): Float32Array {
  const length = shape[0] * shape[1] * shape[2];
  const values = new Float32Array(indices.length * length);
  const spec = { ...preprocess, layout: "nchw" } as Parameters<typeof normalizeImage>[1];
  for (const [i, index] of indices.entries())
    normalizeImage(pixels.subarray(index * length, (index + 1) * length), spec, values, i * length);
  return values;
}
