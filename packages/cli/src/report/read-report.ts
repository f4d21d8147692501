import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type { NamedReport } from "./merged-report.ts";
import type { ModelRow, RunReport } from "./run-report.ts";

const ROWS: readonly ModelRow["id"][] = ["teacher", "baseline", "student", "fp32", "int8"];

/**
 * Reads the report of a run: its directory, or a report.json. It is called as its directory, or as its file.
 *
 * @throws DistillateError `report-unreadable`.
 */
export async function readReport(path: string): Promise<NamedReport> {
  const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = isDirectory ? join(path, "report.json") : path;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw unreadable(path, `has no report (${(cause as NodeJS.ErrnoException).code})`, cause);
  });
  const name = basename(file) === "report.json" ? basename(dirname(resolve(file))) : basename(file, ".json");
  return { name, report: parseReport(text, path) };
}

function parseReport(text: string, path: string): RunReport {
  let found: Partial<RunReport> | null;
  try {
    found = JSON.parse(text) as Partial<RunReport> | null;
  } catch (error) {
    throw unreadable(path, `is no JSON (${(error as Error).message})`, error);
  }
  if (found?.format !== "distillate-report" || found.version !== 1) {
    throw unreadable(path, `is ${found?.format} version ${found?.version}, expected distillate-report version 1`);
  }
  const rows = Array.isArray(found.models) ? found.models : [];
  const missing = ROWS.filter((id) => !rows.some((row) => row.id === id));
  if (missing.length > 0) throw unreadable(path, `has no row ${missing.join(", ")}`);
  const without = rows.find(({ id, seeds }) => (id === "baseline" || id === "student") && !(seeds && seeds.length > 0));
  if (without) throw unreadable(path, `names no seeds of its ${without.id}`);
  if (typeof found.gain?.mean !== "number" || typeof found.data?.test !== "number") {
    throw unreadable(path, "has no gain or no data");
  }
  return found as RunReport;
}

function unreadable(path: string, what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "report-unreadable",
    message: `${path} ${what}`,
    hint: "Give the directory of a finished run, or the report.json in it.",
    cause,
  });
}
