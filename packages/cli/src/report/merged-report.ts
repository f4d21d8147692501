/**
 * Several runs in one table: what each student reached, how much better than its own baseline, and how much better than the
 * first run's student, sample by sample, where both were measured on the same images with the same seeds.
 */
import type { PairedDifference } from "@distillate/train";
import { pairedDifference } from "@distillate/train";
import { unpackRight } from "./right-bits.ts";
import { type ModelRow, meanAndDeviation, type RunReport } from "./run-report.ts";

/** A report and what its run is called in the table. */
export interface NamedReport {
  readonly name: string;
  readonly report: RunReport;
}

/** What some seeds reached. */
interface Reached {
  readonly mean: number;
  /** Over the seeds (n - 1); absent for one. */
  readonly deviation?: number;
  readonly seeds: readonly number[];
}

/** A file of a run. */
interface ExportedFile {
  readonly accuracy: number;
  readonly bytes: number;
  /** Median of single calls in onnxruntime-node on one thread, where all rows were measured in turns. */
  readonly milliseconds?: number;
}

/** One run. */
export interface MergedRow {
  readonly name: string;
  readonly data: string;
  /** Of the shipped student. */
  readonly parameters?: number;
  readonly macs?: number;
  readonly teacher: number;
  readonly baseline: Reached;
  readonly student: Reached;
  /** The student's mean with the weights of each last epoch. */
  readonly lastEpoch?: number;
  /** Of the student over its own baseline. */
  readonly gain: PairedDifference;
  readonly exported: { readonly [Id in "fp32" | "int8"]: ExportedFile };
  /** Of the student over the first run's, on the seeds that both have. */
  readonly overFirst?: PairedDifference & { readonly seeds: readonly number[] };
}

/** What `distillate report` writes. */
export interface MergedReport {
  readonly format: "distillate-merged";
  readonly version: 1;
  readonly rows: readonly MergedRow[];
  /** What could not be compared, and why. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
}

/** Merges reports; the first is what the others are compared with. */
export function mergeReports(reports: readonly NamedReport[]): MergedReport {
  const notes: MergedReport["notes"][number][] = [];
  const [first] = reports;
  const rows = reports.map((each): MergedRow => {
    const row = rowOf(each);
    if (each === first) return row;
    const compared = compare(each.report, first!.report);
    if (typeof compared !== "string") return { ...row, overFirst: compared };
    notes.push({ code: "not-compared", message: `${each.name} is not compared with ${first!.name}: ${compared}` });
    return row;
  });
  return { format: "distillate-merged", version: 1, rows, notes };
}

function rowOf({ name, report }: NamedReport): MergedRow {
  const by = (id: ModelRow["id"]): ModelRow => report.models.find((model) => model.id === id)!;
  const [student, fp32] = [by("student"), by("fp32")];
  const last = student.seeds!.flatMap((seed) => seed.last?.accuracy ?? []);
  const exported = (id: "fp32" | "int8"): ExportedFile => {
    const { accuracy, bytes } = by(id);
    return { accuracy, bytes: bytes! };
  };
  return {
    name,
    data: report.data.hash,
    ...(student.parameters !== undefined && { parameters: student.parameters }),
    ...(fp32.macs !== undefined && { macs: fp32.macs }),
    teacher: by("teacher").accuracy,
    baseline: reached(by("baseline")),
    student: reached(student),
    ...(last.length > 0 && { lastEpoch: meanAndDeviation(last).mean }),
    gain: report.gain,
    exported: { fp32: exported("fp32"), int8: exported("int8") },
  };
}

function reached({ seeds }: ModelRow): Reached {
  return { ...meanAndDeviation(seeds!.map(({ accuracy }) => accuracy)), seeds: seeds!.map(({ seed }) => seed) };
}

/** The difference of two runs' students, or why there is none. */
function compare(one: RunReport, other: RunReport): NonNullable<MergedRow["overFirst"]> | string {
  if (one.data.hash !== other.data.hash) return "they have other data";
  const [own, its] = [one, other].map(rightBySeed);
  const seeds = [...own!.keys()].filter((seed) => its!.has(seed));
  if (seeds.length === 0) return "they have no seed in common";
  const rights = [own!, its!].map((bits) =>
    seeds.flatMap((seed) => [bits.get(seed) ?? []].filter((b) => b.length > 0)),
  );
  if (rights.some((group) => group.length < seeds.length)) {
    return "a report does not say which samples are right; run it again to have it written anew";
  }
  return { ...pairedDifference(rights[0]!, rights[1]!, seeds[0]!), seeds };
}

function rightBySeed({ models, data }: RunReport): ReadonlyMap<number, readonly boolean[] | undefined> {
  const { seeds } = models.find(({ id }) => id === "student")!;
  return new Map(
    seeds!.map(({ seed, right }) => [seed, right === undefined ? undefined : unpackRight(right, data.test)]),
  );
}
