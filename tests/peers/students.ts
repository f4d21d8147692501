/** The three students that quantisers are compared on: trained by the pipeline in short runs, once, and kept beside the run. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { normalizeImage } from "@distillate/bundle";
import {
  cacheDirectory,
  type Images,
  loadFashionMnist,
  loadImageFolder,
  splitTrainValidation,
} from "@distillate/train";

const ROOT = resolve(import.meta.dirname, "../..");
/** What only has to be there: the baseline beside it is the student. */
const TEACHER = { model: { name: "cnn", filters: [4], dense: 0 }, training: { epochs: 1, batchSize: 128 } } as const;

/** A trained float model, 512 samples to calibrate on and 10,000 images to measure on. */
export interface Student {
  readonly name: string;
  /** The fp32 file. */
  readonly path: string;
  /** `[channels, height, width]` */
  readonly shape: readonly [number, number, number];
  readonly samples: Float32Array;
  readonly test: Float32Array;
  readonly classes: ArrayLike<number>;
}

/** How one is trained. */
interface Training {
  readonly name: string;
  readonly data: {
    readonly kind: "fashion-mnist" | "image-folder";
    readonly dir?: string;
    readonly validation: number;
  };
  readonly model: object;
  readonly epochs: number;
}

const FASHION = { kind: "fashion-mnist", validation: 5_000 } as const;
const FASHION_STUDENTS: readonly Training[] = [
  { name: "fashion-mnist-cnn", data: FASHION, model: { name: "cnn", filters: [8, 16], dense: 32 }, epochs: 3 },
  { name: "fashion-mnist-ds-cnn", data: FASHION, model: { name: "ds-cnn", filters: 32, blocks: 3 }, epochs: 2 },
];

/** CIFAR-10 is a folder of images that someone else has to bring. */
function trainings(cifar: string | undefined): readonly Training[] {
  if (cifar === undefined) return FASHION_STUDENTS;
  const data = { kind: "image-folder", dir: cifar, validation: 0.1 } as const;
  return [
    ...FASHION_STUDENTS,
    { name: "cifar-10-resnet-8", data, model: { name: "resnet-8", filters: 16 }, epochs: 1 },
  ];
}

/** Trains what is not there yet under `directory`, and hands out one after the other. */
export async function* students(directory: string, cifar: string | undefined): AsyncGenerator<Student> {
  mkdirSync(directory, { recursive: true });
  for (const { name, data, model, epochs } of trainings(cifar)) {
    const place = join(directory, name);
    const path = `${place}.onnx`;
    if (!existsSync(path)) {
      const training = { epochs, batchSize: 64, optimizer: { name: "adam", learningRate: 0.003 } };
      writeFileSync(`${place}.json`, JSON.stringify({ name, data, teacher: TEACHER, student: { model, training } }));
      distillate("train", `${place}.json`, "--out", place, "--quiet");
      distillate("export", join(place, "baseline/seed-1/model.json"), "-o", path, "--quiet");
    }
    const options = { cacheDir: cacheDirectory("data"), seed: 1, onEvent: () => undefined };
    const { train, test } =
      data.kind === "fashion-mnist"
        ? await loadFashionMnist(options)
        : await loadImageFolder(data.dir!, { ...options, testFraction: 0.2 });
    const chosen = splitTrainValidation(train.classes, data.validation, 1).train.subarray(0, 512);
    const [height, width, channels] = train.shape;
    yield {
      name,
      path,
      shape: [channels, height, width],
      samples: prepared(train, chosen),
      test: prepared(
        test,
        Uint32Array.from({ length: 10_000 }, (_, i) => i),
      ),
      classes: test.classes,
    };
  }
}

function distillate(...args: readonly string[]): void {
  execFileSync(process.execPath, [join(ROOT, "packages/cli/dist/main.js"), ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Pixels by 255, channels first: as the pipeline's students take them. */
function prepared({ shape: [height, width, channels], pixels }: Images, indices: Uint32Array): Float32Array {
  const length = height * width * channels;
  const values = new Float32Array(indices.length * length);
  const fill = (value: number): number[] => new Array<number>(channels).fill(value);
  const spec = {
    width,
    height,
    channels: channels as 1 | 3,
    scale: 1 / 255,
    mean: fill(0),
    std: fill(1),
    layout: "nchw",
  } as const;
  for (const [i, index] of indices.entries())
    normalizeImage(pixels.subarray(index * length, (index + 1) * length), spec, values, i * length);
  return values;
}
