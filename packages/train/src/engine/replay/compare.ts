/**
 * Two recordings of one step must be the same, kernel for kernel: whatever JavaScript computed differently the second time would
 * be frozen.
 */
import { isDeepStrictEqual } from "node:util";
import type { Obstacle } from "../capture/step-recorder.ts";
import type { KernelRecording, KernelRun } from "./record-kernels.ts";

/** The first difference of two recordings, if there is one. */
export function differenceOf(one: KernelRecording, other: KernelRecording): Obstacle | undefined {
  const [a, b] = [one.runs, other.runs];
  const place = a.findIndex((run, i) => run.kernel !== b[i]?.kernel);
  if (place >= 0 || a.length !== b.length) {
    const op = (b[place] ?? a[place] ?? b.at(-1))?.kernel;
    const reason = `one step was ${a.length} kernels and the next ${b.length}: what it does depends on JavaScript`;
    return { reason, ...(op !== undefined && { op }) };
  }
  const run = a.find((each, i) => !isSameRun(each, b[i]!));
  if (run) return { op: run.kernel, reason: "its inputs or attributes depend on JavaScript" };
  const constant = one.constants.find(({ tensor, datum }, i) => {
    const twin = other.constants[i];
    if (twin?.datum !== datum) return true;
    return twin.tensor.dataId !== tensor.dataId && !isDeepStrictEqual(twin.tensor.dataSync(), tensor.dataSync());
  });
  if (constant || one.constants.length !== other.constants.length) {
    const user = a.find(({ inputs }) => [...inputs.values()].some(({ datum }) => datum === constant?.datum));
    return { reason: "a value that JavaScript computes changes from step to step", ...(user && { op: user.kernel }) };
  }
  const isSame =
    isDeepStrictEqual([one.inputs, one.outputs, one.count], [other.inputs, other.outputs, other.count]) &&
    one.variables.length === other.variables.length &&
    one.variables.every(({ variable, datum }, i) => {
      const twin = other.variables[i]!;
      return twin.variable === variable && twin.datum === datum;
    }) &&
    one.changes.length === other.changes.length &&
    one.changes.every(({ variable, value }, i) => {
      const twin = other.changes[i]!;
      return twin.variable === variable && isDeepStrictEqual(twin.value, value);
    });
  return isSame ? undefined : { reason: "which variables it reads or assigns depends on JavaScript" };
}

function isSameRun(one: KernelRun, other: KernelRun): boolean {
  return (
    isDeepStrictEqual(one.inputs, other.inputs) &&
    isDeepStrictEqual(one.attrs, other.attrs) &&
    isDeepStrictEqual(one.outputs, other.outputs)
  );
}
