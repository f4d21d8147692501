/** What `pnpm bench:train` measures: processes of ours that wait for their turns, and others that are started anew for each. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BenchModelName } from "./models.ts";

/** What a turn of some seconds came to. */
export interface Measured {
  readonly imagesPerSecond: number;
  readonly meanImagesPerSecond?: number;
  readonly cpuMilliseconds: number;
  readonly steps: number;
  readonly parameters: number;
  readonly megabytes: number;
  readonly version: string;
}

/** One that trains a net, in its turns. */
export interface Contestant {
  measure(): Promise<Measured>;
  end(): void;
}

/** Has one begin with a net; rejects where it cannot. */
export type Entrant = (model: BenchModelName) => Promise<Contestant>;

/** After an engine's name: a whole training, data and all, instead of its bare step. */
export const FIT = "-fit";

const peersAt = new URL("../../../tests/peers/", import.meta.url);
const run = promisify(execFile);

/** An engine of ours: see measure.ts and fit.ts. */
export function ours(engine: string, seconds: string, ...more: readonly string[]): Entrant {
  const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  if (engine.endsWith(FIT)) {
    return async (model) =>
      startedAnew(process.execPath, [...process.execArgv, script("./fit.ts"), engine, model, seconds]);
  }
  return (model) => kept([...process.execArgv, script("./measure.ts"), engine, model, ...more], seconds);
}

/** So many trainings at once, of one thread each: their images together. */
export function apart(engine: string, count: number, seconds: string): Entrant {
  return async (model) => {
    const all = await Promise.all(Array.from({ length: count }, () => ours(engine, seconds)(model)));
    return {
      async measure() {
        const measured = await Promise.all(all.map((each) => each.measure()));
        const sum = (of: (one: Measured) => number): number => measured.reduce((total, each) => total + of(each), 0);
        return {
          ...measured[0]!,
          imagesPerSecond: sum(({ imagesPerSecond }) => imagesPerSecond),
          cpuMilliseconds: sum(({ cpuMilliseconds }) => cpuMilliseconds) / count,
          megabytes: sum(({ megabytes }) => megabytes),
        };
      },
      end() {
        for (const each of all) each.end();
      },
    };
  };
}

/** A library of Python's, where one has it. */
export function peer(module: string, file: string, seconds: string): Entrant {
  const pythons = [process.env.DISTILLATE_PYTHON, fileURLToPath(new URL(".venv/bin/python", peersAt)), "python3"];
  const python = [...pythons, "/usr/bin/python3"].find((path) => path !== undefined && hasModule(path, module));
  if (python === undefined) return () => Promise.reject(new Error(`no Python here has ${module}`));
  return async (model) => startedAnew(python, [fileURLToPath(new URL(file, peersAt)), model, seconds]);
}

/** Threads of other libraries may look for work long after theirs is done: a process for each turn. */
function startedAnew(file: string, args: readonly string[]): Contestant {
  return {
    async measure() {
      const { stdout } = await run(file, args);
      return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured;
    },
    end: () => undefined,
  };
}

/** A process that is warm, and idle but for its turns. */
async function kept(args: readonly string[], seconds: string): Promise<Contestant> {
  const child = spawn(process.execPath, args);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) {
        await closed;
        throw Object.assign(new Error(`a measurement ended: ${stderr}`), { stderr });
      }
      // Libraries greet on the same stream.
      if (value.startsWith("{")) return JSON.parse(value);
    }
  };
  await answer();
  return {
    measure() {
      child.stdin.write(`${seconds}\n`);
      return answer() as Promise<Measured>;
    },
    end: () => void child.stdin.end(),
  };
}

function hasModule(python: string, module: string): boolean {
  try {
    execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    // This one is not there, or hasn't got it.
    return false;
  }
}
