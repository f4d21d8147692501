/**
 * The configuration of a run: every knob, its range and its default, in one schema. It is plain data, written as
 * `config.json` beside what it produced.
 */
import { DistillateError } from "@distillate/bundle";
import * as v from "valibot";
import { Distill } from "./losses/config.ts";
import { real, whole } from "./ranges.ts";

const AUGMENT = {
  /** Largest shift along each axis, in pixels. */
  shift: v.optional(whole(0, 64), 0),
  /** Mirror left and right with probability one half. */
  flip: v.optional(v.boolean(), false),
  /** Probability of erasing a random rectangle. */
  erase: v.optional(real(0, 1), 0),
  /** Largest change of brightness and of contrast, as a factor: 0.2 is 0.8 to 1.2. */
  colour: v.optional(real(0, 0.9), 0),
  /** Blend pairs of images, with Beta(mixup, mixup) shares: less overconfident, better with long trainings. */
  mixup: v.optional(real(0, 2), 0),
  /** Paste a rectangle of one image into another, with Beta(cutmix, cutmix) shares. */
  cutmix: v.optional(real(0, 2), 0),
  /**
   * Show each image in so many views, one an epoch and then from the first again, the same for all seeds of the run: what a
   * teacher says of a view is then computed once and kept. Left out, every epoch makes new ones.
   */
  views: v.optional(
    v.strictObject({
      count: whole(1, 1000),
      seed: v.optional(whole(0, 2 ** 31 - 1), 0),
      /** Keep the teacher's logits in half the bytes, rounded to 11 bits. */
      float16: v.optional(v.boolean(), false),
    }),
  ),
} as const;

const Augment = v.pipe(
  v.strictObject(AUGMENT),
  v.check(
    ({ views, mixup, cutmix }) => views === undefined || (mixup === 0 && cutmix === 0),
    "views without mixup and cutmix: what a teacher says of one image is not what it says of a blend",
  ),
);

const Data = v.strictObject({
  kind: v.picklist(["mnist", "fashion-mnist", "idx", "image-folder"]),
  /** Where the files are; the built-in sets know their own place. */
  dir: v.optional(v.string()),
  /** What the images of a folder become; left out, it is chosen from them. */
  image: v.optional(
    v.strictObject({
      width: whole(8, 512),
      height: whole(8, 512),
      channels: v.optional(v.picklist([1, 3]), 3),
      fit: v.optional(v.picklist(["stretch", "cover", "contain"]), "cover"),
    }),
  ),
  /** Part of a folder without train and test that becomes the test part. */
  testFraction: v.optional(real(0.01, 0.9), 0.2),
  /** Held out of the training part: a fraction below 1, or a count. */
  validation: v.optional(v.union([real(0.001, 0.9), whole(1, 10_000_000)]), 0.1),
  /** Fraction of the training part whose labels may be looked at; of the rest only the teacher speaks. */
  labelled: v.optional(real(0.0001, 1), 1),
  /** A directory of more images, of which nobody knows the class: only the teacher speaks about them. */
  unlabelled: v.optional(v.string()),
  /** Use only the first so many images of each part; for trials and tests. */
  limit: v.optional(whole(16, 10_000_000)),
});

const Cnn = v.strictObject({
  name: v.literal("cnn"),
  /** Filters of each 3x3 convolution; a 2x2 max pooling follows each. */
  filters: v.optional(v.pipe(v.array(whole(1, 1024)), v.minLength(1), v.maxLength(6)), [16, 32]),
  /** Units of the hidden dense layer; 0 leaves it out. */
  dense: v.optional(whole(0, 4096), 0),
  dropout: v.optional(real(0, 0.9), 0),
});

const DsCnn = v.strictObject({
  name: v.literal("ds-cnn"),
  filters: v.optional(whole(4, 1024), 64),
  blocks: v.optional(whole(1, 12), 4),
  dropout: v.optional(real(0, 0.9), 0),
});

const ResNet8 = v.strictObject({
  name: v.literal("resnet-8"),
  /** Filters of the first stage; the next two have twice and four times as many. */
  filters: v.optional(whole(4, 512), 16),
  dropout: v.optional(real(0, 0.9), 0),
});

const ResNet9 = v.strictObject({
  name: v.literal("resnet-9"),
  /** Filters of the stem; each of the three stages doubles them. */
  filters: v.optional(whole(4, 512), 32),
  dropout: v.optional(real(0, 0.9), 0),
});

const Model = v.variant("name", [Cnn, DsCnn, ResNet8, ResNet9]);

const Optimizer = v.variant("name", [
  v.strictObject({
    name: v.literal("adam"),
    learningRate: v.optional(real(1e-8, 10), 1e-3),
    beta1: v.optional(real(0, 0.9999), 0.9),
    beta2: v.optional(real(0, 0.999999), 0.999),
    epsilon: v.optional(real(1e-12, 1), 1e-7),
    /** Decoupled (AdamW). */
    weightDecay: v.optional(real(0, 1), 0),
  }),
  v.strictObject({
    name: v.literal("sgd"),
    learningRate: v.optional(real(1e-8, 10), 0.05),
    momentum: v.optional(real(0, 0.9999), 0.9),
    weightDecay: v.optional(real(0, 1), 0),
  }),
]);

const Schedule = v.variant("name", [
  v.strictObject({
    name: v.literal("cosine"),
    /** Part of all steps over which the rate rises from zero. */
    warmup: v.optional(real(0, 0.9), 0.05),
  }),
  v.strictObject({
    name: v.literal("step"),
    warmup: v.optional(real(0, 0.9), 0),
    /** Parts of all steps after which the rate is multiplied by `factor`. */
    at: v.optional(v.pipe(v.array(real(0, 1)), v.minLength(1), v.maxLength(20)), [0.5, 0.75]),
    factor: v.optional(real(1e-6, 1), 0.1),
  }),
  v.strictObject({
    name: v.literal("one-cycle"),
    /** Part of all steps over which the rate rises, from a 25th of the peak. */
    warmup: v.optional(real(0.01, 0.9), 0.3),
  }),
  v.strictObject({ name: v.literal("constant"), warmup: v.optional(real(0, 0.9), 0) }),
]);

const Training = v.strictObject({
  epochs: v.optional(whole(1, 10_000), 10),
  batchSize: v.optional(whole(1, 65_536), 64),
  optimizer: v.optional(Optimizer, { name: "adam" }),
  schedule: v.optional(Schedule, { name: "cosine" }),
  /**
   * What convolutions multiply in, depthwise ones aside, on the tensorflow engine: bfloat16 is faster on processors that have it
   * (AVX512-BF16, AMX) and needs a TensorFlow that has such convolutions, as 2.21. Weights, sums and everything else stay in
   * float32, and so does what is exported.
   */
  precision: v.optional(v.picklist(["float32", "bfloat16"]), "float32"),
  /** Clip the gradients' global norm. */
  clipNorm: v.optional(real(1e-6, 1e6)),
  labelSmoothing: v.optional(real(0, 0.5), 0),
  /** Decay of a moving average of the weights, which is then what is validated and kept; 0.999 suits long trainings. */
  average: v.optional(real(0.5, 0.99999)),
  /** Stop after so many epochs without a better validation accuracy. */
  patience: v.optional(whole(1, 10_000)),
  augment: v.optional(Augment, {}),
});

const NETWORK = { model: Model, training: v.optional(Training, {}) } as const;

/** Three numbers, one a channel, or one for all. */
const perChannel = v.pipe(v.array(real(-1000, 1000)), v.minLength(1), v.maxLength(3));

const BROUGHT = {
  /** A classifier that is there: the model.json of a tfjs LayersModel or GraphModel, or an .onnx file. */
  from: v.string(),
  /** Its classes, in the order of its outputs; left out, they are the data's. */
  labels: v.optional(v.array(v.string())),
  /** What it was trained with: pixels 0..255 times `scale`, minus `mean`, by `std`. */
  preprocess: v.optional(
    v.strictObject({
      scale: v.optional(real(1e-6, 1000), 1 / 255),
      mean: v.optional(perChannel, [0]),
      std: v.optional(perChannel, [1]),
    }),
  ),
} as const;

const PARTS = { train: v.string(), test: v.string() } as const;

const TABLE = {
  /** What a teacher said, one row an image: NumPy's .npy, or .parquet. The training table also has the unlabelled images. */
  logits: v.strictObject(PARTS),
  /** Beside .npy: which image each row is, by place or by file name; without it rows are in the order of the images. */
  ids: v.optional(v.strictObject(PARTS)),
  /** Its classes, in the order of its columns; Parquet may name its columns by them instead. */
  labels: v.optional(v.array(v.string())),
  /** The hash of the data it was made from, as `data.hash` in a report: other data are refused. */
  data: v.optional(v.string()),
} as const;

/** How much a teacher's word counts among several. */
const SHARE = { weight: v.optional(real(1e-6, 1e6), 1) } as const;

const isObject = (input: unknown): input is object => typeof input === "object" && input !== null;

const Trained = v.strictObject(NETWORK);
const Brought = v.strictObject(BROUGHT);
const Table = v.strictObject(TABLE);
const OneTeacher = v.lazy((input) =>
  isObject(input) && "from" in input ? Brought : isObject(input) && "logits" in input ? Table : Trained,
);
const SharedTrained = v.strictObject({ ...NETWORK, ...SHARE });
const SharedBrought = v.strictObject({ ...BROUGHT, ...SHARE });
const SharedTable = v.strictObject({ ...TABLE, ...SHARE });
const Several = v.strictObject({
  /** Several teachers that speak as one: the weighted mean of their logits. Those trained here differ by their seed too. */
  mean: v.pipe(
    v.array(
      v.lazy((input) =>
        isObject(input) && "from" in input
          ? SharedBrought
          : isObject(input) && "logits" in input
            ? SharedTable
            : SharedTrained,
      ),
    ),
    v.minLength(2),
    v.maxLength(16),
  ),
});
const Teacher = v.lazy((input) => (isObject(input) && "mean" in input ? Several : OneTeacher));

/** What a chain is made of; without any, the student learns from the teacher and is shipped. */
const Stage = v.variant("kind", [
  /** A network of a size between: it bridges a gap that the student cannot (Mirzadeh 2020, arXiv 1902.03393). */
  v.strictObject({ kind: v.literal("assistant"), ...NETWORK, distill: v.optional(Distill) }),
  /** The student once more, from new weights, with the last one as its teacher (Furlanello 2018, arXiv 1805.04770). */
  v.strictObject({ kind: v.literal("again"), distill: v.optional(Distill) }),
  /** The student a little further on the labels alone; the baseline too, so that both take the same steps. */
  v.strictObject({
    kind: v.literal("finetune"),
    training: v.optional(Training, { epochs: 2, optimizer: { name: "adam", learningRate: 1e-4 } }),
    /** Layers that stay as they are, by name. */
    freeze: v.optional(v.pipe(v.array(v.string()), v.maxLength(1000)), []),
  }),
]);

const Stages = v.pipe(
  v.array(Stage),
  v.maxLength(16),
  v.check(
    (stages) => !stages.some(({ kind }, at) => kind === "assistant" && at > 0 && stages[at - 1]!.kind !== "assistant"),
    "assistants first: they stand between the teacher and the student",
  ),
);

const Run = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "letters, digits, '.', '_' and '-', 64 at most")),
  data: Data,
  teacher: Teacher,
  student: v.strictObject({
    ...NETWORK,
    /** Fine-tunes the student that is shipped with its weights and activations rounded as in the int8 file; left out, nothing is. */
    quantizeAware: v.optional(
      v.strictObject({
        epochs: v.optional(whole(1, 1000), 2),
        learningRate: v.optional(real(1e-8, 1), 1e-4),
        /** Of the teacher's soft targets meanwhile; of several the one whose rounded student does best. Left out, it is that of `distill`. */
        temperature: v.optional(
          v.union([real(0.1, 100), v.pipe(v.array(real(0.1, 100)), v.minLength(1), v.maxLength(10))]),
        ),
      }),
    ),
  }),
  distill: v.optional(Distill, {}),
  /** What comes between teacher and student, and after the student. */
  stages: v.optional(Stages, []),
  /** One baseline and one distilled student are trained per seed; the first also seeds the teacher and the split. */
  seeds: v.optional(v.pipe(v.array(whole(0, 2 ** 31 - 1)), v.minLength(1), v.maxLength(100)), [1]),
  export: v.optional(v.strictObject({ opset: v.optional(whole(13, 21), 17) }), {}),
  quantize: v.optional(
    v.strictObject({
      /** Training images that the activation ranges are measured on. */
      samples: v.optional(whole(1, 1_000_000), 512),
      /** What the int8 file is made by; see docs/quantization.md. */
      preset: v.optional(v.picklist(["int8", "int8-7bit"]), "int8"),
      /** How ranges are found. */
      calibrator: v.optional(v.picklist(["min-max", "moving-average", "percentile", "entropy", "mse"]), "mse"),
      /** What helps where rounding costs accuracy. */
      aids: v.optional(v.array(v.picklist(["equalize", "clip-weights", "round-weights", "correct-bias"])), []),
    }),
    {},
  ),
  tolerance: v.optional(
    v.strictObject({
      /** Largest absolute difference of a logit between tfjs and the fp32 file. */
      fp32: v.optional(real(0, 1), 1e-4),
      /** Largest loss of accuracy from fp32 to int8, in points. */
      int8Drop: v.optional(real(0, 100), 0.5),
    }),
    {},
  ),
});

/** A complete configuration, all defaults filled in. */
export type RunConfig = v.InferOutput<typeof Run>;
/** A configuration as an author writes it: what has a default may be left out. */
export type RunConfigInput = v.InferInput<typeof Run>;
/** Where the samples come from. */
export type DataConfig = RunConfig["data"];
/** One architecture of {@link MODELS} with its knobs. */
export type ModelConfig = RunConfig["student"]["model"];
/** How one network is trained. */
export type TrainingConfig = RunConfig["student"]["training"];
/** A network that is trained here. */
export type NetworkConfig = v.InferOutput<typeof Trained>;
/** A teacher that is not trained here. */
export type BroughtTeacherConfig = v.InferOutput<typeof Brought>;
/** A teacher that is not here at all, but what it said. */
export type TableTeacherConfig = v.InferOutput<typeof Table>;
/** One teacher, of whichever kind. */
export type OneTeacherConfig = v.InferOutput<typeof OneTeacher>;
/** Random changes of a training image. */
export type AugmentConfig = TrainingConfig["augment"];

/** Whether a teacher is there already, instead of being trained. */
export function isBrought(teacher: RunConfig["teacher"]): teacher is BroughtTeacherConfig {
  return "from" in teacher;
}

/** Whether all that is there of a teacher is what it said. */
export function isTable(teacher: RunConfig["teacher"]): teacher is TableTeacherConfig {
  return "logits" in teacher;
}

/** Types a configuration for its author, without checking or changing it. */
export function defineRun(config: RunConfigInput): RunConfigInput {
  return config;
}

/**
 * Checks a configuration and fills in the defaults.
 *
 * @throws DistillateError `config-invalid`, naming the first place, what is there and what is expected.
 */
export function parseConfig(config: unknown): RunConfig {
  const result = v.safeParse(Run, config);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map(({ key }) => String(key)).join(".") ?? "";
  const unknownKey = issue.type === "strict_object" && issue.expected === "never";
  throw new DistillateError({
    code: "config-invalid",
    message: unknownKey
      ? `unknown key ${path} in the configuration`
      : `${path || "the configuration"} is ${issue.received}, expected ${expectation(issue)}`,
    hint: unknownKey
      ? `Remove it, or correct its spelling: ${known(path, config)}.`
      : "Correct this value in the configuration.",
  });
}

function expectation(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "min_value" || issue.type === "max_value") return `a number ${issue.expected}`;
  if (issue.type === "regex" || issue.type === "variant") return issue.message;
  return issue.expected ?? issue.message;
}

/** The keys that an object of the schema has beside the unknown one. */
function known(path: string, config: unknown): string {
  const parents = path.split(".").slice(0, -1);
  let schema: unknown = Run;
  let found = config;
  for (const key of parents) {
    found = (found as Record<string, unknown> | undefined)?.[key];
    const { entries, item } = unwrap(schema, undefined);
    schema = unwrap(entries?.[key] ?? item, found);
  }
  const { entries, options } = unwrap(schema, found);
  const keys = new Set(
    [entries, ...(options?.map((option) => option.entries) ?? [])].flatMap((e) => Object.keys(e ?? {})),
  );
  return `${parents.join(".") || "the top level"} has ${[...keys].join(", ")}`;
}

interface Described {
  readonly entries?: Record<string, unknown>;
  readonly item?: unknown;
  readonly options?: readonly { readonly entries: Record<string, unknown> }[];
}

/** The object, array or variant that a schema is, whatever is around it. */
function unwrap(schema: unknown, input: unknown): Described {
  const { wrapped, getter } = (schema ?? {}) as { wrapped?: unknown; getter?: (input: unknown) => unknown };
  return wrapped !== undefined || getter !== undefined
    ? unwrap(wrapped ?? getter!(input), input)
    : ((schema ?? {}) as Described);
}
