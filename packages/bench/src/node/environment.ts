/** Where it was measured: everything that a reader needs to tell whether two reports can be compared. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** Facts by name. */
export async function describeEnvironment(): Promise<Record<string, string | number>> {
  const [first] = cpus();
  const governor = await readLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  return {
    os: `${platform()} ${release()} ${arch()}`,
    cpu: first?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    loadAverage: Number(loadavg()[0]!.toFixed(2)),
    node: process.version,
    "onnxruntime-node": await versionOf("onnxruntime-node"),
    "onnxruntime-web": await versionOf("onnxruntime-web/ort-wasm-simd-threaded.wasm"),
    ...(governor !== undefined && { governor }),
  };
}

/** How hot the machine is and what it is fed by, as far as Linux tells: a chip that gets hot slows down. */
export async function describeHeat(when: "before" | "after"): Promise<Record<string, string | number>> {
  const zones = await readEach("/sys/class/thermal", /^thermal_zone\d+$/, "temp");
  const batteries = await readEach("/sys/class/power_supply", /^BAT/, "status");
  const degrees = zones.map((text) => Number(text) / 1000).filter((value) => value > 0 && value < 150);
  return {
    ...(degrees.length > 0 && { [`hottest °C ${when}`]: Math.max(...degrees) }),
    ...(batteries.length > 0 && { [`battery ${when}`]: batteries.join(", ") }),
  };
}

/** One file of every directory of that name. */
async function readEach(parent: string, name: RegExp, file: string): Promise<readonly string[]> {
  const found = await readdir(parent).catch(() => [] as string[]);
  const lines = await Promise.all(
    found.filter((each) => name.test(each)).map((each) => readLine(join(parent, each, file))),
  );
  return lines.filter((line) => line !== undefined);
}

/** The commit of the working directory; absent outside of git. */
export async function currentCommit(): Promise<string | undefined> {
  if (process.env.GITHUB_SHA) return process.env.GITHUB_SHA;
  return promisify(execFile)("git", ["rev-parse", "HEAD"]).then(
    ({ stdout }) => stdout.trim(),
    // No git or no repository: there is no commit to name.
    () => undefined,
  );
}

/** The version of the package that a resolvable file lies in, one directory below its package.json. */
async function versionOf(file: string): Promise<string> {
  const path = join(dirname(createRequire(import.meta.url).resolve(file)), "..", "package.json");
  return (JSON.parse(await readFile(path, "utf8")) as { version: string }).version;
}

async function readLine(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").then(
    (text) => text.trim(),
    // Not every machine tells.
    () => undefined,
  );
}
