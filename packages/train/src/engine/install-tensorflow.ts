/**
 * Sets the native engine up in the cache directory: tfjs-node with its official library where that can be reached, otherwise
 * with the library of the `tensorflow-cpu` wheel, against which the addon is built. The addon uses TensorFlow's C interface
 * alone, which newer libraries keep.
 */
import { execFile } from "node:child_process";
import { access, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "../atomic-write.ts";
import { engineStatus } from "./status.ts";
import { engineCacheDirectory } from "./tensorflow.ts";

const PACKAGE = "@tensorflow/tfjs-node";
const VERSION = "4.22.0";
/** What tfjs-node itself looks for. */
const OFFICIAL = "2.9.1";
const OFFICIAL_HOME = "https://storage.googleapis.com/tensorflow/libtensorflow/";
const WHEEL = { name: "tensorflow-cpu", version: "2.21.0", python: "3.11" } as const;
const PLATFORMS = ["manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"] as const;
/** Only these two leave the archive: the rest of the wheel is Python. */
const UNPACK = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name.startswith("tensorflow/include/") or name.startswith("tensorflow/libtensorflow_"):
            wheel.extract(name, sys.argv[2])
`;

/** How {@link installTensorflow} works. */
export interface InstallOptions {
  /** A wheel that is already here, instead of a download. */
  readonly wheel?: string;
  readonly onStep?: (step: string) => void;
}

/** Where the engine is, and how many steps it took; none when it was there. */
export interface Installed {
  readonly directory: string;
  readonly steps: number;
}

/**
 * Installs tfjs-node for this user, outside of any project; does nothing when it already works. Needs npm and, without the
 * official library, Python 3 with pip, make and a C++ compiler. Linux on x64; elsewhere tfjs-node's own installation is the way.
 *
 * @throws DistillateError `engine-install-failed` naming the step and what it printed.
 */
export async function installTensorflow({ wheel, onStep }: InstallOptions = {}): Promise<Installed> {
  const directory = engineCacheDirectory();
  if ((await engineStatus("tensorflow")).ok) return { directory, steps: 0 };
  let steps = 0;
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    steps++;
    onStep?.(name);
    await work().catch((error: unknown) => {
      throw failed(name, error);
    });
  };
  const target = join(directory, "node_modules", PACKAGE);

  await step(`install ${PACKAGE} ${VERSION} without its scripts`, async () => {
    await writeFileAtomic(join(directory, "package.json"), '{ "private": true }\n');
    await command(
      "npm",
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", `${PACKAGE}@${VERSION}`],
      directory,
    );
  });
  const official = wheel === undefined && (await reachable(OFFICIAL_HOME));
  if (!official) {
    await step("find what builds the addon", requireTools);
    await step(`take the library of ${WHEEL.name} ${WHEEL.version}`, () => stageWheel(directory, target, wheel));
  }
  await step("build the addon", () => command("npm", ["rebuild", PACKAGE], directory));
  await step("prove it with one gradient", async () => {
    const { ok, detail } = await engineStatus("tensorflow");
    if (!ok) throw new Error(detail);
  });
  return { directory, steps };
}

/** What the way without the official library needs: looked for before anything large is downloaded. */
const tools = (): Readonly<Record<string, readonly [file: string, ...args: string[]]>> => ({
  "Python 3 (python3)": ["python3", "--version"],
  "its pip": ["python3", "-m", "pip", "--version"],
  make: ["make", "--version"],
  "a C++ compiler (g++)": [process.env.CXX || "g++", "--version"],
});

async function requireTools(): Promise<void> {
  const looks = Object.entries(tools()).map(async ([name, [file, ...args]]) => {
    const isThere = await promisify(execFile)(file, args).then(
      () => true,
      () => false,
    );
    return isThere ? [] : [name];
  });
  const absent = (await Promise.all(looks)).flat();
  if (absent.length > 0) throw new Error(`not found, or not working: ${absent.join(", ")}`);
}

async function stageWheel(directory: string, target: string, given: string | undefined): Promise<void> {
  const unpacked = join(directory, "wheel");
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { recursive: true });
  const archive = given === undefined ? await downloadWheel(join(directory, "download")) : resolve(given);
  await command("python3", ["-c", UNPACK, archive, unpacked], directory);
  const library = join(unpacked, "tensorflow");
  const names = await readdir(library);
  for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]) {
    if (!names.includes(name)) throw new Error(`${archive} has no ${name}; it has ${names.join(", ")}`);
  }
  const deps = join(target, "deps");
  await rm(deps, { recursive: true, force: true });
  await mkdir(join(deps, "lib"), { recursive: true });
  await symlink(join(library, "include"), join(deps, "include"));
  const link = (from: string, to: string): Promise<void> => symlink(join(library, from), join(deps, "lib", to));
  for (const suffix of ["", ".2", `.${OFFICIAL}`]) {
    await link("libtensorflow_cc.so.2", `libtensorflow.so${suffix}`);
    await link("libtensorflow_framework.so.2", `libtensorflow_framework.so${suffix}`);
  }
  // The name that the addon is linked against is the library's own.
  await link("libtensorflow_cc.so.2", "libtensorflow_cc.so.2");
  if (given === undefined) await rm(join(directory, "download"), { recursive: true, force: true });
}

async function downloadWheel(to: string): Promise<string> {
  const platforms = PLATFORMS.flatMap((platform) => ["--platform", platform]);
  const tags = ["--python-version", WHEEL.python, "--implementation", "cp", ...platforms];
  const options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", ...tags];
  await command(
    "python3",
    ["-m", "pip", "download", ...options, "-d", to, `${WHEEL.name}==${WHEEL.version}`],
    dirname(to),
  );
  const found = (await readdir(to)).find((name) => name.endsWith(".whl"));
  if (found === undefined) throw new Error(`pip left no wheel in ${to}`);
  return join(to, found);
}

async function command(file: string, args: readonly string[], cwd: string): Promise<void> {
  // node-gyp downloads Node's headers unless it is told where they are.
  const prefix = join(dirname(process.execPath), "..");
  const hasHeaders = await access(join(prefix, "include", "node", "node_api.h")).then(
    () => true,
    () => false,
  );
  const env = { ...process.env, ...(hasHeaders && !process.env.npm_config_nodedir && { npm_config_nodedir: prefix }) };
  await promisify(execFile)(file, args, { cwd, env, maxBuffer: 64 * 2 ** 20 });
}

async function reachable(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(5_000) });
    return response.status < 500;
  } catch {
    return false;
  }
}

function failed(name: string, error: unknown): DistillateError {
  const { code, path, stderr, message } = error as NodeJS.ErrnoException & { readonly stderr?: string };
  const said = code === "ENOENT" && path !== undefined ? `there is no ${path} here` : stderr || message;
  const printed = said.trim().split("\n").slice(-12).join("\n");
  return new DistillateError({
    code: "engine-install-failed",
    message: `could not ${name}: ${printed}`,
    hint: "It needs npm, Python 3 with pip, make, g++ and a network (--wheel takes a tensorflow-cpu wheel that is here already). Run it again when they are there, or go on with the engine wasm, which needs nothing.",
    cause: error,
  });
}
