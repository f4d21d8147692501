/**
 * What a run costs in energy. Where Linux lets us read the processor's own counters (RAPL), these, for the whole package and with
 * whatever else ran; elsewhere a proxy that says its assumption: processor time times watts.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const POWERCAP = "/sys/class/powercap";
/** Watts of one busy core of a small device, where nothing was measured. */
const ASSUMED_WATTS = 5;

/** Energy of one run. */
export interface Energy {
  readonly millijoulesPerRun: number;
  readonly method: "rapl" | "proxy";
  readonly assumption: string;
}

/** Joules the processor packages have used, up to an overflow now and then; `undefined` where it cannot be read. */
export async function readJoules(): Promise<number | undefined> {
  try {
    const packages = (await readdir(POWERCAP)).filter((name) => /^intel-rapl:\d+$/.test(name));
    if (packages.length === 0) return undefined;
    const counts = await Promise.all(packages.map((name) => readFile(join(POWERCAP, name, "energy_uj"), "utf8")));
    return counts.reduce((sum, count) => sum + Number(count) / 1e6, 0);
  } catch {
    // No such counters, or not for this user.
    return undefined;
  }
}

/** From what was counted over all blocks of a target; `undefined` where neither can be known. */
export function energyOf(
  joules: number | undefined,
  cpuMillisecondsPerRun: number | undefined,
  runs: number,
): Energy | undefined {
  if (joules !== undefined && joules > 0) {
    const assumption = "processor package by RAPL, all that ran meanwhile included";
    return { millijoulesPerRun: (1000 * joules) / runs, method: "rapl", assumption };
  }
  if (cpuMillisecondsPerRun === undefined) return undefined;
  const assumption = `processor time at an assumed ${ASSUMED_WATTS} W a core; no counter can be read here`;
  return { millijoulesPerRun: ASSUMED_WATTS * cpuMillisecondsPerRun, method: "proxy", assumption };
}
