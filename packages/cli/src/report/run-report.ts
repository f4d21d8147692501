import type { ExportReport, QuantizeReport } from "@distillate/export";
import type {
  DataNote,
  Engine,
  EpochRecord,
  Fidelity,
  Metrics,
  PairedDifference,
  Role,
  RunConfig,
} from "@distillate/train";

/** One model of the table, measured on the test part. */
export interface ModelRow extends Metrics, Fidelity {
  /** `guide`: an assistant, or one of several teachers; `step`: what a chain made before its last network. */
  readonly id: "teacher" | "guide" | "baseline" | "step" | "student" | "fp32" | "int8";
  /** What it is called; absent where the id says it. */
  readonly name?: string;
  /** What it ran in. */
  readonly runtime: string;
  readonly parameters?: number;
  /** Of the weights, or of the file. */
  readonly bytes?: number;
  /** Multiplications with weights for one image, of an exported file. */
  readonly macs?: number;
  /** Seed by seed; the row's own measures are those of the first, or of the shipped student. */
  readonly seeds?: readonly SeedResult[];
  readonly mean?: number;
  /** Standard deviation over the seeds (n - 1); absent for one. */
  readonly deviation?: number;
}

/** What one seed reached. */
export interface SeedResult {
  readonly seed: number;
  readonly accuracy: number;
  /** With the weights of the last epoch instead of those that the validation part chose; absent where nothing was trained. */
  readonly last?: { readonly epoch: number; readonly accuracy: number };
  /** Which test samples it gets right: bit i of the bytes, in Base64 (see right-bits.ts). */
  readonly right?: string;
}

/** Something that was held against a limit. */
export interface Check {
  readonly name: string;
  readonly found: number;
  readonly allowed: number;
  readonly ok: boolean;
}

/** Everything `report.json` says of a run; the other two reports are drawn from it. */
export interface RunReport {
  readonly format: "distillate-report";
  readonly version: 1;
  readonly name: string;
  readonly tool: string;
  readonly node: string;
  readonly engine: Engine;
  readonly seconds: number;
  readonly data: {
    readonly name: string;
    readonly labels: readonly string[];
    readonly train: number;
    readonly test: number;
    readonly hash: string;
    readonly notes: readonly DataNote[];
  };
  readonly config: RunConfig;
  /** The seed of the exported student: the best on the validation part. */
  readonly shippedSeed: number;
  /** Of the fine-tuning in which the shipped student learnt to be rounded, where there was one. */
  readonly quantizeAware?: {
    /** Whose weights were kept, counted from 1. */
    readonly epoch: number;
    /** Of the student with weights and activations rounded, and of the float one before. */
    readonly validationAccuracy: number;
    readonly before: number;
    /** How many ranges it learnt. */
    readonly ranges: number;
    /** The temperatures that were tried, in the order that they were given in; the first of the best was kept. */
    readonly tried?: readonly {
      readonly temperature: number;
      readonly epoch: number;
      readonly validationAccuracy: number;
    }[];
  };
  /** Its directory in the run; reports written before chains were there do not say it. */
  readonly shipped?: string;
  readonly models: readonly ModelRow[];
  /** Accuracy of the distilled students less that of the baselines, on the same test images. */
  readonly gain: PairedDifference;
  readonly curves: readonly {
    readonly role: Role;
    /** What the network is called. */
    readonly title: string;
    readonly seed: number;
    readonly history: readonly EpochRecord[];
    readonly seconds: number;
    /** Threads that shared the work; reports written before there were several do not say it. */
    readonly workers?: number;
    readonly cached: boolean;
  }[];
  readonly export: ExportReport;
  readonly quantization: QuantizeReport;
  readonly checks: readonly Check[];
}

/** What rows are called that say nothing else. */
export const MODEL_NAMES: { readonly [Id in ModelRow["id"]]: string } = {
  teacher: "teacher",
  guide: "assistant",
  baseline: "student, labels alone",
  step: "student, before",
  student: "student, distilled",
  fp32: "exported, fp32",
  int8: "exported, int8",
};

/** What a row is called. */
export function nameOf({ id, name }: Pick<ModelRow, "id" | "name">): string {
  return name ?? MODEL_NAMES[id];
}

/** A check's verdict and what it found, for people: three digits say enough. */
export function describeCheck({ name, found, allowed, ok }: Check): {
  readonly verdict: string;
  readonly text: string;
} {
  return { verdict: ok ? "passed" : "FAILED", text: `${name}: ${Number(found.toPrecision(3))}, allowed ${allowed}` };
}

/** Mean and standard deviation (n - 1). */
export function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly deviation?: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, deviation: Math.sqrt(variance) };
}

/** What the run found, in one sentence with its numbers. */
export function finding(report: RunReport): string {
  const by = (id: ModelRow["id"]): ModelRow => report.models.find((model) => model.id === id)!;
  const [teacher, baseline, student] = [by("teacher"), by("baseline"), by("student")];
  const points = (share: number): string => `${share >= 0 ? "+" : ""}${(100 * share).toFixed(2)}`;
  const { mean, low, high } = report.gain;
  const wins = student.seeds!.filter(({ accuracy }, i) => accuracy > baseline.seeds![i]!.accuracy).length;
  const gap = teacher.accuracy - baseline.mean!;
  const closed =
    gap > 0 ? `, ${((100 * (student.mean! - baseline.mean!)) / gap).toFixed(0)} % of its gap to the teacher` : "";
  const size =
    teacher.parameters === undefined || teacher.parameters <= student.parameters!
      ? ""
      : ` It has ${(teacher.parameters / student.parameters!).toFixed(0)} times fewer parameters than the teacher.`;
  return (
    `With its teacher the student of ${student.parameters!.toLocaleString("en")} parameters gets ${(100 * student.mean!).toFixed(2)} %, ` +
    `without it ${(100 * baseline.mean!).toFixed(2)} %: ${points(mean)} points (${points(low)} to ${points(high)} by the choice of test images, 95 %)${closed}, ` +
    `better in ${wins} of ${student.seeds!.length} seeds.${size}`
  );
}

/** What fine-tuning for the integer file came to, in one sentence; nothing where there was none. */
export function awareness({ quantizeAware: tuned }: RunReport): readonly string[] {
  if (tuned === undefined) return [];
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const fineTuned =
    `Fine-tuned with rounded weights and activations (epoch ${tuned.epoch}), the exported student gets ${percent(tuned.validationAccuracy)} ` +
    `of the validation part as it will run in integers, ${percent(tuned.before)} as a float one before; its ${tuned.ranges} ranges are the ones it learnt.`;
  if (tuned.tried === undefined) return [fineTuned];
  const kept = tuned.tried.find(({ validationAccuracy }) => validationAccuracy === tuned.validationAccuracy);
  const all = tuned.tried.map(
    ({ temperature, validationAccuracy }) => `${percent(validationAccuracy)} at ${temperature}`,
  );
  return [`${fineTuned} Temperature ${kept?.temperature} was kept of those tried: ${all.join(", ")}.`];
}
