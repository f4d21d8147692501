/** Where it was measured: everything that a reader needs to tell whether two reports can be compared. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
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
